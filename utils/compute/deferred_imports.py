"""Deferred imports of the parts of PyTorch, transformers and evaluate that none of our models needs.

transformers imports PyTorch's compiler, its distributed tensors and accelerate with every model, which takes more than
half of the time until a script has its model. Its Trainer imports datasets, and evaluate its evaluators with scipy.
Each module below is replaced by a stand-in that knows only the names listed here. A call of one of these, or a request
for any other name, loads the real module. A new version of transformers that needs more is therefore slower, but still
correct; tests/compute/test_deferred_imports.py checks that.
"""

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

from utils.compute.kept_names import keep_names

# The functions and classes that IMPORTERS take from each module, and use later or never.
IMPORTERS = ("accelerate.", "evaluate.", "huggingface_hub.", "transformers.")
NAMES = {
    "accelerate": {"PartialState", "dispatch_model"},
    "accelerate.hooks": {"AlignDevicesHook", "add_hook_to_module"},
    "accelerate.utils": {
        "extract_model_from_parallel",
        "get_balanced_memory",
        "get_max_memory",
        "infer_auto_device_map",
        "reduce",
    },
    "accelerate.utils.modeling": {"clean_device_map", "get_max_layer_size"},
    "datasets": {"Dataset"},
    "evaluate.evaluator": {
        "AudioClassificationEvaluator",
        "AutomaticSpeechRecognitionEvaluator",
        "Evaluator",
        "ImageClassificationEvaluator",
        "QuestionAnsweringEvaluator",
        "SummarizationEvaluator",
        "Text2TextGenerationEvaluator",
        "TextClassificationEvaluator",
        "TextGenerationEvaluator",
        "TokenClassificationEvaluator",
        "TranslationEvaluator",
        "evaluator",
    },
    "peft": {"PeftMixedModel", "PeftModel"},
    "scipy.optimize": {"linear_sum_assignment"},
    "torch._dynamo.eval_frame": {"OptimizedModule"},
    "torch._dynamo._trace_wrapped_higher_order_op": {"TransformGetItemToIndex"},
    "torch.distributed._composable.fsdp": {"fully_shard"},
    "torch.distributed._functional_collectives": {"all_to_all_single_autograd", "wait_tensor"},
    "torch.distributed.checkpoint.hf_storage": {"HuggingFaceStorageReader", "HuggingFaceStorageWriter"},
    "torch.distributed.fsdp.fully_sharded_data_parallel": {"FullyShardedDataParallel"},
    "torch.distributed.fsdp": {"CPUOffloadPolicy", "FullyShardedDataParallel", "MixedPrecisionPolicy"},
    "torch.distributed.tensor": {"DTensor", "Partial", "Replicate", "Shard", "distribute_tensor"},
    "torch.distributed.tensor._utils": {"compute_local_shape_and_global_offset"},
    "torch.distributed.tensor.placement_types": {"Shard", "_StridedShard"},
    "torch.nn.attention.flex_attention": {"BlockMask", "create_block_mask"},
    "transformers.integrations.flex_attention": {"flex_attention_forward"},
}
PLACEMENTS = ("Partial", "Replicate", "Shard")  # transformers makes some at once, for tensors distributed later
COMPILER, META_KERNELS = "torch._dynamo", "torch._meta_registrations"
# Importing this package reads three thousand files for the names of all models, and modules below it don't need it.
INDEPENDENT_OF_PARENT = "transformers.models"
READS_NAMES = "transformers.utils.import_utils"
OTHERS = {  # the packages of those modules, and modules that are imported for what they do
    COMPILER,
    META_KERNELS,
    "scipy",
    "torch.distributed._composable",
    "torch.distributed.checkpoint",
    "torch.export",
    INDEPENDENT_OF_PARENT,
}
NEED_META_KERNELS = (COMPILER, "torch.export")
# Marks for the compiler alone. As decorators, they return the function where nothing is compiled.
MARKS = ("allow_in_graph", "assume_constant_result", "disable", "graph_break", "mark_static_address")


def defer_imports() -> None:
    """From now on, import stand-ins for the modules above; call this before PyTorch is imported."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def import_meta_kernels() -> bool:
    """Import the modules that some models need to be built without memory; return whether it was put off until now.

    PyTorch has the usual operations of such tensors in C++, and raises NotImplementedError for the others.
    """
    stand_in = sys.modules.get(META_KERNELS)
    put_off = isinstance(stand_in, _StandIn)
    if put_off:
        stand_in.load()
    return put_off


class _Finder(MetaPathFinder, Loader):
    """Find a stand-in for each deferred module, and the real module once something has requested it."""

    def __init__(self):
        self.deferred = {name for name in (*NAMES, *OTHERS) if name not in sys.modules}

    def find_spec(self, name: str, path, target=None) -> ModuleSpec | None:
        if name in self.deferred:
            found = PathFinder.find_spec(name, path)
            return found and ModuleSpec(name, self, loader_state=found.submodule_search_locations)
        if name == READS_NAMES:
            found = PathFinder.find_spec(name, path)
            found.loader = _KeepingNames(found.loader)
            return found
        parent = sys.modules.get(name.rpartition(".")[0])
        if not isinstance(parent, _StandIn) or parent.__name__ == INDEPENDENT_OF_PARENT:
            return None
        path = parent.load().__path__
        return ModuleSpec(name, self) if name in sys.modules else PathFinder.find_spec(name, path)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        if spec.name in sys.modules:  # the real parent has just imported it
            spec.loader_state = sys.modules[spec.name].__spec__
            return sys.modules[spec.name]
        stand_in = _StandIn(spec.name)
        stand_in.finder = self
        if spec.loader_state:
            stand_in.__path__ = list(spec.loader_state)
        return stand_in

    def exec_module(self, module: ModuleType) -> None:
        if not isinstance(module, _StandIn):
            module.__spec__ = module.__spec__.loader_state
        elif module.__name__ == META_KERNELS:
            importlib.import_module("torch._prims.rng_prims")  # torch.Generator needs it

    def release(self, name: str) -> None:
        """No longer defer a module, its parents, and its submodules."""
        family = [each for each in self.deferred if f"{name}.".startswith(f"{each}.") or each.startswith(f"{name}.")]
        for member in sorted(family, reverse=True):  # children before their parents
            self.deferred.remove(member)
            stand_in = sys.modules.pop(member, None)
            parent, _, leaf = member.rpartition(".")
            if stand_in and parent and vars(sys.modules[parent]).get(leaf) is stand_in:
                delattr(sys.modules[parent], leaf)


class _KeepingNames(Loader):
    """Loads the module with which transformers reads its models' public names, and lets it cache them."""

    def __init__(self, loader: Loader):
        self.loader = loader

    def __getattr__(self, name: str):  # what else is asked of the loader of a file
        return getattr(self.loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        keep_names(module)


class _StandIn(ModuleType):
    def __getattr__(self, name: str):
        if name.startswith("__") and name != "__version__":
            raise AttributeError(name)
        if self.__name__ == COMPILER and name in MARKS and sys.modules.get(COMPILER) is self:
            return _unmarked
        if name in NAMES.get(self.__name__, ()) and f"{_importer()}.".startswith(IMPORTERS):
            return _Deferred(self.__name__, name)
        if f"{self.__name__}.{name}" in self.finder.deferred:
            return importlib.import_module(f"{self.__name__}.{name}")
        return getattr(self.load(), name)

    def load(self) -> ModuleType:
        """Return the real module."""
        if sys.modules.get(self.__name__) is self:
            self.finder.release(self.__name__)
            if self.__name__.startswith(NEED_META_KERNELS):
                import_meta_kernels()
        return importlib.import_module(self.__name__)


def _importer() -> str:
    """Return the name of the module that asks a stand-in for a name."""
    frame = sys._getframe(2)
    while frame.f_globals["__name__"] == "importlib._bootstrap":
        frame = frame.f_back
    return frame.f_globals["__name__"]


def _unmarked(function=None, *_, **__):
    return _unmarked if function is None else function


class _Deferred:
    """A function or a class of a module that is imported when it is called or asked for an attribute."""

    def __init__(self, module: str, name: str, arguments: tuple | None = None):
        self._module, self._name, self._arguments = module, name, arguments

    def _real(self):
        module = sys.modules[self._module]
        real = getattr(module.load() if isinstance(module, _StandIn) else module, self._name)
        return real if self._arguments is None else real(*self._arguments)

    def _is_imported(self) -> bool:
        return not isinstance(sys.modules[self._module], _StandIn)

    def __call__(self, *args, **kwargs):
        if self._name in PLACEMENTS and not self._is_imported():
            return _Deferred(self._module, self._name, args)
        return self._real()(*args, **kwargs)

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._real(), name)

    def __instancecheck__(self, instance) -> bool:
        return self._is_imported() and isinstance(instance, self._real())  # nothing is, of a class not imported yet

    def __mro_entries__(self, bases: tuple) -> tuple:
        return (self._real(),)

    def __or__(self, other):  # in annotations
        return self

    __ror__ = __or__
