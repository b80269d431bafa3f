#include "launcher/watch/canvas.h"

#include <wchar.h>

#include <algorithm>

namespace edt {
namespace {

constexpr char32_t kReplacement = 0xFFFD;
constexpr char32_t kBehindWide = 0;  // second cell of a wide character

// The next character of a UTF-8 text, which is shortened by it.
char32_t take_character(std::string_view& text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const std::size_t length = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  bool valid = lead < 0x80 || (lead >= 0xC2 && lead < 0xF5);
  char32_t character = length == 1 ? lead : lead & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length && valid; ++i) {
    valid = i < text.size() && (byte(i) & 0xC0) == 0x80;
    if (valid) character = character << 6 | (byte(i) & 0x3Fu);
  }
  text.remove_prefix(valid ? length : 1);
  const bool control = character < 0x20 || (character >= 0x7F && character < 0xA0);
  return valid && !control ? character : kReplacement;
}

int width_of(char32_t character) {
  if (character < 0x80) return 1;
  const int width = wcwidth(static_cast<wchar_t>(character));
  return width < 0 ? 1 : std::min(width, 2);  // the locale may not know it
}

void append_utf8(std::string& text, char32_t c) {
  const auto add = [&](unsigned value) { text += static_cast<char>(value); };
  if (c < 0x80) {
    add(c);
  } else if (c < 0x800) {
    add(0xC0 | c >> 6);
    add(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    add(0xE0 | c >> 12);
    add(0x80 | (c >> 6 & 0x3F));
    add(0x80 | (c & 0x3F));
  } else {
    add(0xF0 | c >> 18);
    add(0x80 | (c >> 12 & 0x3F));
    add(0x80 | (c >> 6 & 0x3F));
    add(0x80 | (c & 0x3F));
  }
}

// Of the sixteen colours that every terminal has.
std::string_view escape_of(Ink ink) {
  switch (ink) {
    case Ink::kPlain:
      return "\x1b[0m";
    case Ink::kBold:
      return "\x1b[0;1m";
    case Ink::kMuted:
      return "\x1b[0;2m";
    case Ink::kGood:
    case Ink::kSeries2:
      return "\x1b[0;32m";
    case Ink::kWarning:
    case Ink::kSeries1:
      return "\x1b[0;33m";
    case Ink::kBad:
    case Ink::kSeries4:
      return "\x1b[0;31m";
    case Ink::kSeries0:
      return "\x1b[0;36m";
    case Ink::kSeries3:
      return "\x1b[0;35m";
    case Ink::kSeries5:
      return "\x1b[0;34m";
  }
  return "";
}

}  // namespace

Ink series_ink(std::size_t series) {
  return static_cast<Ink>(static_cast<std::size_t>(Ink::kSeries0) + series % 6);
}

Canvas::Canvas(const Look& look) : look_(look) {
  look_.columns = std::max(look_.columns, 1);
  look_.rows = std::max(look_.rows, 1);
  cells_.resize(static_cast<std::size_t>(look_.columns) * static_cast<std::size_t>(look_.rows));
}

void Canvas::put(int column, int row, char32_t character, Ink ink) {
  if (column < 0 || column >= look_.columns || row < 0 || row >= look_.rows) return;
  cells_[static_cast<std::size_t>(row) * static_cast<std::size_t>(look_.columns) +
         static_cast<std::size_t>(column)] = {character, ink};
}

int Canvas::text(int column, int row, std::string_view text, Ink ink, int width) {
  const int edge = width > 0 ? std::min(column + width, look_.columns) : look_.columns;
  const bool cut = column + cells_of(text) > edge;
  const int end = cut ? edge - 1 : edge;
  while (!text.empty()) {
    char32_t character = take_character(text);
    if (!look_.unicode && character >= 0x80) character = character == U'·' ? U',' : U'?';
    const int cells = width_of(character);
    if (cells == 0) continue;  // combining marks
    if (column + cells > end) break;
    put(column, row, character, ink);
    if (cells == 2) put(column + 1, row, kBehindWide, ink);
    column += cells;
  }
  if (cut && column < edge) put(column++, row, look_.unicode ? U'…' : U'~', ink);
  return column;
}

void Canvas::text_right(int column, int row, std::string_view text, Ink ink) {
  this->text(std::max(column - cells_of(text), 0), row, text, ink);
}

std::string Canvas::line(int number) const {
  const Cell* cells = row(number);
  int length = look_.columns;
  while (length > 0 && cells[length - 1].character == U' ') --length;
  std::string line;
  Ink ink = Ink::kPlain;
  for (int i = 0; i < length; ++i) {
    const Cell& cell = cells[i];
    if (cell.character == kBehindWide) continue;
    if (look_.colours && cell.ink != ink && cell.character != U' ') {
      ink = cell.ink;
      line += escape_of(ink);
    }
    append_utf8(line, cell.character);
  }
  if (ink != Ink::kPlain) line += escape_of(Ink::kPlain);
  return line;
}

std::vector<std::string> Canvas::lines() const {
  std::vector<std::string> lines;
  for (int i = 0; i < look_.rows; ++i) lines.push_back(line(i));
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

int cells_of(std::string_view text) {
  int cells = 0;
  while (!text.empty()) cells += width_of(take_character(text));
  return cells;
}

}  // namespace edt
