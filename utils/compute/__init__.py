"""Everything that only makes the work faster or smaller: batching, number formats, caches, kernels.

The contract: each part can be replaced by the plain Transformers or PyTorch call that its file names, and results
stay within the rounding that the file states. Open `batching.py` first. To learn what training *is*, read
`utils/training` instead.
"""
