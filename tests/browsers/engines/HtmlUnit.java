import com.gargoylesoftware.htmlunit.AjaxController;
import com.gargoylesoftware.htmlunit.BrowserVersion;
import com.gargoylesoftware.htmlunit.WebClient;

/** HtmlUnit opens one page as the browser that its second argument names. Run by ../run.sh, which ends it. */
public class HtmlUnit {
    public static void main(String[] arguments) throws Exception {
        WebClient client = new WebClient((BrowserVersion) BrowserVersion.class.getField(arguments[1]).get(null));
        client.getOptions().setThrowExceptionOnScriptError(false);
        client.getOptions().setThrowExceptionOnFailingStatusCode(false);
        // As it is set by default, some requests that a page makes later are made at once, and the page waits.
        client.setAjaxController(new AjaxController());
        client.getPage(arguments[0]);
        Thread.sleep(Long.MAX_VALUE);
    }
}
