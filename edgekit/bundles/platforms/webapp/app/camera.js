// The camera, picture after picture, as fast as they are looked at.
import { pixelsOf } from "./decoding.js";

export class Camera {
  #stream = null;
  #video;
  #look;

  /** @param look Called with a frame, its width and height; the next one comes when it is done. */
  constructor(video, look) {
    this.#video = video;
    this.#look = look;
    document.addEventListener("visibilitychange", () => {
      for (const track of this.#stream?.getTracks() ?? []) track.enabled = !document.hidden;
    });
  }

  get runs() {
    return this.#stream !== null;
  }

  async start() {
    if (!navigator.mediaDevices) throw new Error("it needs https or localhost");
    const wanted = { facingMode: "environment", width: { ideal: 1280 } };
    this.#stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
    this.#video.srcObject = this.#stream;
    await this.#video.play();
    this.#next();
  }

  stop() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
    this.#video.srcObject = null;
  }

  #next() {
    requestAnimationFrame(async () => {
      const stream = this.#stream;
      const { videoWidth: width, videoHeight: height } = this.#video;
      if (!stream) return;
      if (width && height && !document.hidden) {
        const rgba = pixelsOf(this.#video, width, height);
        const source = await createImageBitmap(new ImageData(rgba.slice(), width, height));
        await this.#look({ rgba, source }, width, height);
        source.close();
      }
      if (this.#stream === stream) this.#next();
    });
  }
}
