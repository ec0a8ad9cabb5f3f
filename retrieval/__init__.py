"""Search of encrypted pictures by content, installed as ``jpegcrypt.retrieval``.

This package reads cipher files as any server would: through ``jpegcrypt.codec``, without a key.
Importing it loads neither PyTorch nor any other dependency of the ``retrieval`` extra.
"""
