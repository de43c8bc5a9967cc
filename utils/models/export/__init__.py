"""A trained model → a file in another program's format: .gguf for llama.cpp and Ollama. Open `export.py` first."""
