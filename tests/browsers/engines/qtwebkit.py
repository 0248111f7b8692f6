"""QtWebKit opens one page, and prints what it says. With a second argument that ends in `without-websocket`, the
page finds no WebSocket. Run by ../run.sh, which ends it."""

import sys

from PyQt5.QtCore import QUrl
from PyQt5.QtWebKitWidgets import QWebPage
from PyQt5.QtWidgets import QApplication


class Page(QWebPage):
    def javaScriptConsoleMessage(self, message, line, source):
        print(message, f"{source}:{line}", flush=True)


application = QApplication(sys.argv[:1])
page = Page()
frame = page.mainFrame()
if sys.argv[2].endswith("without-websocket"):
    # Before any script of the page.
    frame.javaScriptWindowObjectCleared.connect(
        lambda: frame.evaluateJavaScript("delete window.WebSocket; window.WebSocket = undefined")
    )
frame.load(QUrl(sys.argv[1]))
application.exec_()
