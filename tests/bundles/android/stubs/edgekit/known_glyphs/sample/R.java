package edgekit.known_glyphs.sample;

public final class R {
  public static final class string {
    public static final int camera = 1;
    public static final int latency = 2;
    public static final int loading = 3;
    public static final int no_camera = 4;
    public static final int nothing_found = 5;
    public static final int pick_picture = 6;
    public static final int pick_sound = 7;
    public static final int picture = 8;
    public static final int read = 9;
    public static final int text_hint = 10;
  }
}
