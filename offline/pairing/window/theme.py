"""The style of the window: dark, with one accent colour. Sizes are in logical pixels, which Qt scales to the screen."""

from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication

from offline.pairing import palette

GROUND = QColor(*palette.GROUND)
PANEL = QColor(23, 25, 29)
RAISED = QColor(38, 41, 48)
RAISED_MORE = QColor(52, 56, 65)
LINE = QColor(44, 48, 56)
TEXT = QColor(228, 228, 224)
DIM = QColor(156, 160, 168)
FAINT = QColor(104, 109, 118)
ACCENT = QColor(238, 196, 110)
ACCENT_DARK = QColor(74, 63, 38)
WARNING = QColor(250, 128, 104)
WHITE = QColor(255, 255, 255)

GAP = 8
"""Spacing between related parts; the outer margin."""
ROW = 28
"""The height of buttons and fields."""
TEXT_SIZE = 13
SMALL_SIZE = 12
FAMILIES = ("Inter", "Roboto", "Noto Sans", "Segoe UI", "SF Pro Text", "Helvetica Neue", "Open Sans", "DejaVu Sans")

STYLE = f"""
* {{ font-size: {TEXT_SIZE}px; }}
QWidget {{ background: {PANEL.name()}; color: {TEXT.name()}; }}
QToolTip {{ background: {RAISED.name()}; color: {TEXT.name()}; border: 1px solid {LINE.name()}; padding: 4px 6px; }}
QLabel {{ background: transparent; }}
QLabel[role="dim"] {{ color: {DIM.name()}; }}
QLabel[role="small"] {{ color: {DIM.name()}; font-size: {SMALL_SIZE}px; }}
QLabel[role="title"] {{ font-weight: 600; }}
QLabel[role="heading"] {{ font-size: 20px; font-weight: 600; }}
QLabel[role="warning"] {{ color: {WARNING.name()}; }}
QPushButton, QToolButton {{
    background: {RAISED.name()}; border: 1px solid transparent; border-radius: 5px; padding: 0 10px;
    min-height: {ROW - 2}px; max-height: {ROW - 2}px;
}}
QToolButton {{ padding: 0 5px; }}
QPushButton:hover, QToolButton:hover {{ background: {RAISED_MORE.name()}; }}
QPushButton:focus, QToolButton:focus, QComboBox:focus {{ border-color: {FAINT.name()}; }}
QPushButton:checked, QToolButton:checked {{ background: {ACCENT_DARK.name()}; color: {ACCENT.name()}; }}
QPushButton:disabled, QToolButton:disabled {{ color: {FAINT.name()}; background: {PANEL.name()}; border-color: {LINE.name()}; }}
QPushButton[role="primary"] {{ background: {ACCENT.name()}; color: {GROUND.name()}; font-weight: 600; }}
QPushButton[role="primary"]:hover {{ background: #f6d48a; }}
QPushButton[role="strong"] {{ background: {RAISED_MORE.name()}; }}
QPushButton[role="strong"]:hover {{ background: {FAINT.name()}; }}
QToolButton::menu-indicator {{ image: none; width: 0; }}
QPushButton::menu-indicator {{ image: none; width: 0; }}
QComboBox {{
    background: {RAISED.name()}; border: 1px solid transparent; border-radius: 5px; padding: 0 8px;
    min-height: {ROW - 2}px; max-height: {ROW - 2}px;
}}
QComboBox:disabled {{ color: {FAINT.name()}; background: {PANEL.name()}; border-color: {LINE.name()}; }}
QComboBox:hover {{ background: {RAISED_MORE.name()}; }}
QComboBox::drop-down {{ border: none; width: 22px; }}
QComboBox::down-arrow {{ image: none; }}
QComboBox QAbstractItemView, QMenu {{
    background: {RAISED.name()}; border: 1px solid {LINE.name()}; outline: none; padding: 4px;
    selection-background-color: {RAISED_MORE.name()}; selection-color: {TEXT.name()};
}}
QComboBox QAbstractItemView::item {{ min-height: 22px; padding: 1px 6px; }}
QMenu::item {{ padding: 5px 22px 5px 12px; border-radius: 4px; }}
QMenu::item:selected {{ background: {RAISED_MORE.name()}; }}
QMenu::item:disabled {{ color: {FAINT.name()}; }}
QMenu::separator {{ height: 1px; background: {LINE.name()}; margin: 4px 8px; }}
QMenu::indicator {{ width: 12px; height: 12px; left: 4px; }}
QMenuBar {{ background: transparent; }}
QMenuBar::item {{ padding: 6px 10px; border-radius: 5px; background: transparent; }}
QMenuBar::item:selected {{ background: {RAISED_MORE.name()}; }}
QLineEdit {{
    background: {GROUND.name()}; border: 1px solid {LINE.name()}; border-radius: 5px; padding: 0 8px;
    min-height: {ROW - 2}px; max-height: {ROW - 2}px; selection-background-color: {ACCENT_DARK.name()};
}}
QAbstractSpinBox {{
    background: {GROUND.name()}; border: 1px solid {LINE.name()}; border-radius: 5px; padding: 0 6px;
    min-height: 22px; max-height: 22px;
}}
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{ subcontrol-origin: border; width: 1px; border: none; }}
QAbstractSpinBox QLineEdit {{ border: none; padding: 0; min-height: 0; background: transparent; }}
QLineEdit:focus {{ border-color: {ACCENT.name()}; }}
QListView, QTreeView, QTableView, QScrollArea {{ border: none; outline: none; background: {PANEL.name()}; }}
QTableView {{ gridline-color: transparent; selection-background-color: {RAISED_MORE.name()}; selection-color: {TEXT.name()}; }}
QHeaderView::section {{ background: {PANEL.name()}; color: {DIM.name()}; border: none; padding: 2px 4px; font-size: {SMALL_SIZE}px; }}
QScrollBar:vertical {{ width: 10px; background: transparent; margin: 0; }}
QScrollBar::handle:vertical {{ background: {RAISED_MORE.name()}; border-radius: 4px; min-height: 28px; margin: 1px; }}
QScrollBar::handle:vertical:hover {{ background: {FAINT.name()}; }}
QScrollBar:horizontal {{ height: 10px; background: transparent; margin: 0; }}
QScrollBar::handle:horizontal {{ background: {RAISED_MORE.name()}; border-radius: 4px; min-width: 28px; margin: 1px; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
QSlider {{ background: transparent; }}
QSlider::groove:horizontal {{ height: 4px; background: {RAISED_MORE.name()}; border-radius: 2px; }}
QSlider::sub-page:horizontal {{ background: {FAINT.name()}; border-radius: 2px; }}
QSlider::handle:horizontal {{ width: 14px; height: 14px; margin: -5px 0; border-radius: 7px; background: #b9bdc6; }}
QSlider::handle:horizontal:hover {{ background: {WHITE.name()}; }}
QSlider::handle:horizontal:disabled {{ background: {FAINT.name()}; }}
QProgressBar {{ background: {RAISED.name()}; border: none; border-radius: 3px; min-height: 6px; max-height: 6px; }}
QProgressBar::chunk {{ background: {ACCENT.name()}; border-radius: 3px; }}
QSplitter::handle {{ background: {PANEL.name()}; }}
QSplitter::handle:hover {{ background: {LINE.name()}; }}
QTabBar {{ background: transparent; qproperty-drawBase: 0; }}
QTabBar::tab {{ background: transparent; color: {DIM.name()}; padding: 6px 10px; border-bottom: 2px solid transparent; }}
QTabBar::tab:selected {{ color: {TEXT.name()}; border-bottom-color: {ACCENT.name()}; }}
QTabBar::tab:hover {{ color: {TEXT.name()}; }}
QTabWidget::pane {{ border: none; }}
QCheckBox {{ background: transparent; spacing: 8px; }}
QCheckBox::indicator {{ width: 14px; height: 14px; border-radius: 4px; border: 1px solid {FAINT.name()}; background: {GROUND.name()}; }}
QCheckBox::indicator:checked {{ background: {ACCENT.name()}; border: 3px solid {ACCENT_DARK.name()}; width: 10px; height: 10px; }}
"""


def dress(application: QApplication) -> None:
    """Give the application its style, font and colours."""
    application.setStyle("Fusion")
    colours = QPalette()
    for role, colour in (
        (QPalette.ColorRole.Window, PANEL),
        (QPalette.ColorRole.Base, GROUND),
        (QPalette.ColorRole.AlternateBase, PANEL),
        (QPalette.ColorRole.Button, RAISED),
        (QPalette.ColorRole.Text, TEXT),
        (QPalette.ColorRole.WindowText, TEXT),
        (QPalette.ColorRole.ButtonText, TEXT),
        (QPalette.ColorRole.PlaceholderText, FAINT),
        (QPalette.ColorRole.ToolTipBase, RAISED),
        (QPalette.ColorRole.ToolTipText, TEXT),
        (QPalette.ColorRole.Highlight, ACCENT_DARK),
        (QPalette.ColorRole.HighlightedText, TEXT),
        (QPalette.ColorRole.Link, ACCENT),
    ):
        colours.setColor(role, colour)
    application.setPalette(colours)
    application.setFont(font())
    application.setStyleSheet(STYLE)


def font(size: int = TEXT_SIZE, bold: bool = False) -> QFont:
    """The window's font: the first of a few plain ones that is installed."""
    there = set(QFontDatabase.families())
    chosen = QFont([family for family in FAMILIES if family in there] or QFont().families())
    chosen.setPixelSize(size)
    chosen.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
    return chosen
