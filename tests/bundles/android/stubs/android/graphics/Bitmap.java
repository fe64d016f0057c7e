package android.graphics;

public final class Bitmap {
  public enum Config { ALPHA_8, RGB_565, ARGB_4444, ARGB_8888, RGBA_F16, HARDWARE, RGBA_1010102 }

  public native int getWidth();

  public native int getHeight();

  public native Config getConfig();

  public native Bitmap copy(Config config, boolean isMutable);

  public native void getPixels(int[] pixels, int offset, int stride, int x, int y, int width, int height);

  public static native Bitmap createBitmap(int[] colors, int width, int height, Config config);

  public static native Bitmap createScaledBitmap(Bitmap source, int width, int height, boolean filter);
}
