"""QtWebEngine of an old PyQt5 wheel opens one page, and prints what it says. Run by ../run.sh, which ends it."""

import ctypes
import sys
import types


def lend_sip():
    """Wheels before 5.11 import a module `sip`, of which no build for this Python exists; that of PyQt5-sip serves."""
    import PyQt5.sip as lender

    api = ctypes.pythonapi
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    api.PyCapsule_New.restype = ctypes.py_object
    api.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    # The capsule keeps a pointer to its name, which must live as long.
    lend_sip.name = b"sip._C_API"
    pointer = api.PyCapsule_GetPointer(lender._C_API, b"PyQt5.sip._C_API")
    module = types.ModuleType("sip")
    module.__dict__.update(vars(lender))
    module._C_API = api.PyCapsule_New(pointer, lend_sip.name, None)
    sys.modules["sip"] = module


lend_sip()
from PyQt5.QtCore import QUrl
from PyQt5.QtWebEngineWidgets import QWebEnginePage, QWebEngineView
from PyQt5.QtWidgets import QApplication


class Page(QWebEnginePage):
    def javaScriptConsoleMessage(self, level, message, line, source):
        print(message, f"{source}:{line}", flush=True)


# These versions take Chromium's switches from the program's own arguments.
application = QApplication([sys.argv[0], "--no-sandbox", "--disable-gpu"])
view = QWebEngineView()
page = Page(view)
view.setPage(page)
view.show()
page.load(QUrl(sys.argv[1]))
application.exec_()
