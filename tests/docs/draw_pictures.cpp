// Draws a folder of pictures with a folder for each of three classes, JPEG and PNG of several
// sizes: draw_pictures FOLDER.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "tests/support/picture_files.h"

int main(int argc, char** argv) {
  using namespace edt;
  if (argc != 2) return 2;
  const std::filesystem::path folder = argv[1];
  constexpr int kPictures = 12;
  const std::string classes[] = {"cat", "dog", "fox"};
  for (int i = 0; i < kPictures; ++i) {
    const auto place = folder / classes[i % 3];
    std::filesystem::create_directories(place);
    const Image image = test::drawn_picture(80 + i * 17, 190 - i * 9, static_cast<unsigned>(i));
    const bool is_png = i % 4 == 3;
    std::ofstream(place / fmt::format("{:02}.{}", i, is_png ? "png" : "JPEG"), std::ios::binary)
        << (is_png ? test::png_file(image) : test::jpeg_file(image, {.progressive = i % 2 == 1}));
  }
  return 0;
}
