// A page as a real browser shows it. Tests that need one skip by name where none is installed
// (scripts/install-dependencies.sh --browser).
#pragma once

#include <filesystem>
#include <string>

#include "core/image/png.h"

namespace edt::test {

bool has_browser();

struct BrowserView {
  std::string document;  // the element tree after loading, as HTML
  std::string errors;    // what the browser's console says
  Image picture;
};

// Opens a file without network. `height` of the window in pixels; its width is 900.
BrowserView open_in_browser(const std::filesystem::path& file, int height, bool dark = false);

// Pixels of that colour.
int count_colour(const Image& picture, int red, int green, int blue);

// The page loads without a word in the console, shows so many charts, places nothing at a
// coordinate that is no number, and draws the first series.
void expect_drawn(const std::filesystem::path& file, int charts, int height = 2400);

}  // namespace edt::test
