package android.content;

import android.net.Uri;

public class Intent {
  public static final String ACTION_GET_CONTENT = "android.intent.action.GET_CONTENT";

  public Intent(String action) {}

  public native Intent setType(String type);

  public native Uri getData();

  @Deprecated
  public native <T> T getParcelableExtra(String name);
}
