package android.widget;

import android.content.Context;

public class ScrollView extends android.view.ViewGroup {
  public ScrollView(Context context) {
    super(context);
  }
}
