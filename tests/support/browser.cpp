#include "tests/support/browser.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sstream>

#include "tests/support/shell.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt::test {
namespace {

// The lines of the page itself: the browser has much to say about the machine it runs on.
std::string console_lines(const std::string& log) {
  std::istringstream lines(log);
  std::string found;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("CONSOLE") != std::string::npos) found += line + "\n";
  }
  return found;
}

}  // namespace

bool has_browser() { return !std::string_view(EDT_BROWSER).empty(); }

BrowserView open_in_browser(const std::filesystem::path& file, int height, bool dark) {
  const TempDir directory;
  const std::string work = directory.path().string();
  const auto command = [&](const std::string& what) {
    return fmt::format(
        "timeout 60 '{}' --headless --no-sandbox --disable-gpu --disable-dev-shm-usage "
        "--hide-scrollbars --enable-logging=stderr --user-data-dir='{}/profile' "
        "--blink-settings=preferredColorScheme={} --window-size=900,{} {} 'file://{}' 2>'{}/log'",
        EDT_BROWSER, work, dark ? 0 : 1, height, what, std::filesystem::absolute(file).string(),
        work);
  };
  BrowserView view;
  view.document = shell(command("--dump-dom")).output;
  view.errors = console_lines(read_text(directory / "log"));
  shell(command("--screenshot='" + work + "/picture.png'"));
  view.errors += console_lines(read_text(directory / "log"));
  view.picture = read_png(directory / "picture.png");
  return view;
}

int count_colour(const Image& picture, int red, int green, int blue) {
  int count = 0;
  for (std::size_t i = 0; i + 2 < picture.pixels.size(); i += 3) {
    const std::uint8_t* p = picture.pixels.data() + i;
    count += p[0] == red && p[1] == green && p[2] == blue;
  }
  return count;
}

void expect_drawn(const std::filesystem::path& file, int charts, int height) {
  const BrowserView view = open_in_browser(file, height);
  EXPECT_EQ(view.errors, "") << file;
  int found = 0;
  for (auto at = view.document.find("<svg"); at != view.document.npos;
       at = view.document.find("<svg", at + 1)) {
    ++found;
  }
  EXPECT_EQ(found, charts) << file;
  for (const char* none : {"nan\"", "nan ", "nan,", "inf\"", "inf ", "inf,"}) {
    EXPECT_EQ(view.document.find(none), view.document.npos) << file << ": " << none;
  }
  EXPECT_GT(count_colour(view.picture, 0x2a, 0x6f, 0xd0), 200) << file;
}

}  // namespace edt::test
