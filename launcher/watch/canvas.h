// A grid of character cells with styles: what is drawn is clipped, aligned and free of control
// characters, whatever the texts. Becomes plain text or text with ANSI colours.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace edt {

enum class Ink : std::uint8_t {
  kPlain,
  kBold,
  kMuted,
  kGood,
  kWarning,
  kBad,
  kSeries0,
  kSeries1,
  kSeries2,
  kSeries3,
  kSeries4,
  kSeries5,
};

// Inks of series repeat after six.
Ink series_ink(std::size_t series);

// What the terminal can show.
struct Look {
  int columns = 80, rows = 24;
  bool colours = false;
  bool unicode = false;
};

class Canvas {
 public:
  explicit Canvas(const Look& look);

  const Look& look() const { return look_; }
  int columns() const { return look_.columns; }
  int rows() const { return look_.rows; }

  void put(int column, int row, char32_t character, Ink ink = Ink::kPlain);
  // UTF-8; cut at `width` cells (0: at the edge) with an ellipsis. Returns the column behind it.
  int text(int column, int row, std::string_view text, Ink ink = Ink::kPlain, int width = 0);
  // Ends before `column`.
  void text_right(int column, int row, std::string_view text, Ink ink = Ink::kPlain);

  // Rows up to the last one that has something on it, blanks at their ends dropped.
  std::vector<std::string> lines() const;

 private:
  struct Cell {
    char32_t character = U' ';
    Ink ink = Ink::kPlain;
  };
  const Cell* row(int row) const { return cells_.data() + row * look_.columns; }
  std::string line(int row) const;

  Look look_;
  std::vector<Cell> cells_;
};

// Cells that a text takes.
int cells_of(std::string_view text);

}  // namespace edt
