// From a picture file or a camera's frame to RGBA pixels [height, width, 4], upright by EXIF.

const MOST_PIXELS = 89_478_485; // as Pillow's limit

/** Pixels of a picture file, as it holds them: no colours managed, nothing premultiplied. */
export async function decode(blob) {
  const bitmap = await createImageBitmap(blob, {
    imageOrientation: "from-image",
    colorSpaceConversion: "none",
    premultiplyAlpha: "none",
  });
  try {
    const { width, height } = bitmap;
    if (width * height > MOST_PIXELS) throw new Error(`${width} × ${height} pixels are too many`);
    const drawn = pixelsOf(bitmap, width, height);
    const opaque = drawn.every((value, at) => at % 4 !== 3 || value === 255);
    // A canvas premultiplies, which rounds: transparent pictures are read through a texture.
    const rgba = opaque ? drawn : (throughTexture(bitmap, width, height) ?? drawn);
    return { rgba, width, height };
  } finally {
    bitmap.close();
  }
}

/** Pixels of a frame or bitmap. */
export function pixelsOf(source, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(source, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

function throughTexture(bitmap, width, height) {
  const gl = new OffscreenCanvas(1, 1).getContext("webgl", { premultipliedAlpha: false });
  if (!gl || Math.max(width, height) > gl.getParameter(gl.MAX_TEXTURE_SIZE)) return null;
  gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
  gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  const texture = gl.getParameter(gl.TEXTURE_BINDING_2D);
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
  if (gl.checkFramebufferStatus(gl.FRAMEBUFFER) !== gl.FRAMEBUFFER_COMPLETE) return null;
  const rgba = new Uint8Array(width * height * 4);
  gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, rgba);
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return rgba;
}
