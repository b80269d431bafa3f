// Files of every kind, decoded and cropped: bit for bit what Pillow and ADM's centre crop make of
// them. The files lie beside pictures.h5, in tests/golden/vae or where EDT_GOLDEN_DIR says.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include "core/image/decode.h"
#include "core/image/resample.h"
#include "core/storage/durable_file.h"
#include "tests/golden/golden_file.h"

namespace edt::test {
namespace {

namespace fs = std::filesystem;

fs::path folder() {
  const fs::path inner = golden_dir() / "vae";
  return fs::exists(inner / "pictures.h5") ? inner : golden_dir();
}

std::vector<std::string> names() {
  const GoldenFile golden(folder() / "pictures.h5");
  std::vector<std::string> found;
  for (const std::string& name : golden.names("/")) {
    if (name != "broken") found.push_back(name);
  }
  return found;
}

class Pictures : public testing::TestWithParam<std::string> {
 protected:
  Pictures() : golden_(folder() / "pictures.h5") {
    const std::string encoded = read_text(folder() / "pictures" / GetParam());
    const auto bytes = std::as_bytes(std::span(encoded));
    is_readable_ = !picture_format(bytes).empty();  // WebP needs its library
    if (is_readable_) image_ = decode_picture(bytes, GetParam());
  }
  std::string at(const std::string& name) const { return GetParam() + "/" + name; }
  // Of what is there of the picture: rows and columns of [height, width, 3].
  void expect(const Image& image, const std::string& name) const {
    const auto shape = golden_.shape(at(name));
    const auto values = golden_.read<std::int64_t>(at(name));
    ASSERT_LE(shape[0], image.height) << name;
    ASSERT_LE(shape[1], image.width) << name;
    std::size_t i = 0, different = 0;
    for (int y = 0; y < shape[0]; ++y) {
      for (int x = 0; x < shape[1]; ++x) {
        for (int c = 0; c < 3; ++c) different += image.pixel(x, y)[c] != values[i++] ? 1u : 0u;
      }
    }
    EXPECT_EQ(different, 0u) << at(name) << ": of " << values.size() << " values";
  }

  const GoldenFile golden_;
  bool is_readable_ = false;
  Image image_;
};

TEST_P(Pictures, AreDecodedAsPillowDoes) {
  if (!is_readable_) GTEST_SKIP() << "this build does not read the format";
  EXPECT_EQ(image_.width, golden_.number(GetParam(), "width"));
  EXPECT_EQ(image_.height, golden_.number(GetParam(), "height"));
  expect(image_, "rgb");
}

TEST_P(Pictures, AreCroppedAsAdmDoes) {
  if (!is_readable_) GTEST_SKIP() << "this build does not read the format";
  for (const std::string& name : golden_.names(GetParam())) {
    if (!name.starts_with("size") || name.ends_with("_float")) continue;
    expect(centre_crop(image_, std::stoi(name.substr(4))), name);
  }
}

INSTANTIATE_TEST_SUITE_P(Files, Pictures, testing::ValuesIn(names()), [](const auto& file) {
  std::string name = file.param;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
});

TEST(BrokenPictures, AreRefusedByName) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator(folder() / "pictures" / "broken")) {
    const std::string name = entry.path().filename().string(), encoded = read_text(entry.path());
    ++count;
    try {
      decode_picture(std::as_bytes(std::span(encoded)), name);
      ADD_FAILURE() << name << " is not refused";
    } catch (const PictureError& error) {
      EXPECT_THAT(error.what(), testing::StartsWith("[picture] " + name + ": "));
      EXPECT_FALSE(error.reason().empty());
    }
  }
  EXPECT_GT(count, 0);
}

}  // namespace
}  // namespace edt::test
