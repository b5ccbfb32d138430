"""The runtime form of a quantized model: camera pixels in, IO nodes removed as asked, batch as asked."""
