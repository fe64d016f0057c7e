// What a device is to a bundle's table of choices: names of classes, the most telling first.

/** @param {string|null} asked A class that was named in the address. */
export function classesOf(asked) {
  if (asked) return [asked];
  const { userAgentData: told, userAgent } = navigator;
  const mobile = told?.mobile ?? /Android|iPhone|iPad|Mobile/.test(userAgent);
  const brands = told?.brands?.map(({ brand }) => brand) ?? [];
  const engine = brands.includes("Chromium")
    ? "chromium"
    : /Firefox\//.test(userAgent)
      ? "firefox"
      : /AppleWebKit\//.test(userAgent) && "safari";
  return [mobile ? "phone" : "desktop", engine].filter(Boolean);
}
