// KHTML opens one page. Run by ../run.sh, which ends it.
#include <QApplication>
#include <QUrl>
#include <khtml_part.h>
#include <khtmlview.h>

int main(int count, char **arguments)
{
    QApplication application(count, arguments);
    // Otherwise the first finished transfer ends the program.
    application.setQuitLockEnabled(false);
    application.setQuitOnLastWindowClosed(false);
    KHTMLPart part;
    part.setJScriptEnabled(true);
    part.setJavaEnabled(false);
    part.setPluginsEnabled(false);
    part.view()->show();
    part.openUrl(QUrl(QString::fromLocal8Bit(arguments[1])));
    return application.exec();
}
