"""Search of encrypted pictures by content, installed as ``jpegcrypt.retrieval``.

This package reads cipher files as any server would: through ``jpegcrypt.codec``, without a key.
The models arrive with the retrieval work; until then there is nothing to import. Importing it
loads neither PyTorch nor any other dependency of the ``retrieval`` extra.
"""
