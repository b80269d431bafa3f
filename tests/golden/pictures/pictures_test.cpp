// Files of every kind, decoded and cropped: bit for bit what Pillow and ADM's centre crop make of
// them. Values are any .h5 in tests/golden/vae or where EDT_GOLDEN_DIR says whose groups say how a
// picture was resized; the pictures lie beside it, in a folder of its name or in `pictures`.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <set>

#include "core/image/decode.h"
#include "core/image/resample.h"
#include "core/storage/durable_file.h"
#include "tests/golden/golden_file.h"

namespace edt::test {
namespace {

namespace fs = std::filesystem;

struct Case {
  fs::path values, folder;
  std::string picture;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.values << ", " << c.picture; }

fs::path folder_of(const fs::path& values) {
  const fs::path own = values.parent_path() / values.stem();
  return fs::is_directory(own) ? own : values.parent_path() / "pictures";
}

std::vector<Case> cases() {
  std::vector<Case> found;
  for (const fs::path& folder : {golden_dir() / "vae", golden_dir()}) {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder, none)) {
      if (entry.path().extension() != ".h5") continue;
      const GoldenFile golden(entry.path());
      for (const std::string& name : golden.names("/")) {
        if (!golden.has_attribute(name, "resized_to")) continue;
        found.push_back({entry.path(), folder_of(entry.path()), name});
      }
    }
  }
  return found;
}

class Pictures : public testing::TestWithParam<Case> {
 protected:
  Pictures() {
    const std::string encoded = read_text(GetParam().folder / GetParam().picture);
    const auto bytes = std::as_bytes(std::span(encoded));
    is_readable_ = !picture_format(bytes).empty();  // WebP needs its library
    if (is_readable_) image_ = decode_picture(bytes, GetParam().picture);
  }
  std::string at(const std::string& name) const { return GetParam().picture + "/" + name; }
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

  const GoldenFile golden_{GetParam().values};
  bool is_readable_ = false;
  Image image_;
};

TEST_P(Pictures, AreDecodedAsPillowDoes) {
  if (!is_readable_) GTEST_SKIP() << "this build does not read the format";
  EXPECT_EQ(image_.width, golden_.number(GetParam().picture, "width"));
  EXPECT_EQ(image_.height, golden_.number(GetParam().picture, "height"));
  expect(image_, "rgb");
}

TEST_P(Pictures, AreCroppedAsAdmDoes) {
  if (!is_readable_) GTEST_SKIP() << "this build does not read the format";
  for (const std::string& name : golden_.names(GetParam().picture)) {
    if (!name.starts_with("size") || name.ends_with("_float")) continue;
    expect(centre_crop(image_, std::stoi(name.substr(4))), name);
  }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Pictures);
INSTANTIATE_TEST_SUITE_P(Files, Pictures, testing::ValuesIn(cases()), [](const auto& file) {
  std::string name = file.param.values.stem().string() + "_" + file.param.picture;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
});

std::vector<fs::path> broken_pictures() {
  std::vector<fs::path> found;
  std::set<fs::path> folders;
  for (const Case& one : cases()) folders.insert(one.folder / "broken");
  for (const fs::path& folder : folders) {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder, none)) found.push_back(entry.path());
  }
  return found;
}

TEST(BrokenPictures, AreRefusedByName) {
  const auto all = broken_pictures();
  if (all.empty()) GTEST_SKIP() << "none in " << golden_dir();
  for (const fs::path& path : all) {
    const std::string name = path.filename().string(), encoded = read_text(path);
    try {
      decode_picture(std::as_bytes(std::span(encoded)), name);
      ADD_FAILURE() << name << " is not refused";
    } catch (const PictureError& error) {
      EXPECT_THAT(error.what(), testing::StartsWith("[picture] " + name + ": "));
      EXPECT_FALSE(error.reason().empty());
    }
  }
}

}  // namespace
}  // namespace edt::test
