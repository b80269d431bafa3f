// Reads the event files back with a decoder of its own: frames, checksums, protobuf fields.
#include "launcher/run/tensorboard.h"

#include <gmock/gmock-matchers.h>

#include <bit>
#include <cstring>
#include <map>

#include "core/base/error.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt {
namespace {

using testing::HasSubstr;

template <class T>
T load(std::string_view bytes, std::size_t at = 0) {
  static_assert(std::endian::native == std::endian::little);
  T value;
  if (bytes.size() < at + sizeof value) throw std::runtime_error("torn");
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::vector<std::string> frames(std::string_view file) {
  std::vector<std::string> all;
  while (!file.empty()) {
    const auto length = load<std::uint64_t>(file);
    EXPECT_EQ(load<std::uint32_t>(file, 8), masked_crc32c(file.substr(0, 8)));
    const std::string_view data = file.substr(12, length);
    EXPECT_EQ(load<std::uint32_t>(file, 12 + length), masked_crc32c(data));
    all.emplace_back(data);
    file.remove_prefix(16 + length);
  }
  return all;
}

// Field number -> contents, in order: little-endian bytes of fixed fields, decimal text of varints,
// the bytes of the others.
std::multimap<std::uint64_t, std::string> fields(std::string_view message) {
  std::multimap<std::uint64_t, std::string> all;
  std::size_t at = 0;
  const auto varint = [&] {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(message.at(at++));
      value |= std::uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.size()) {
    const std::uint64_t key = varint();
    std::string content;
    if ((key & 7) == 0) {
      content = std::to_string(varint());
    } else {
      const std::uint64_t size = (key & 7) == 1 ? 8 : (key & 7) == 5 ? 4 : varint();
      content = message.substr(at, size);
      at += size;
    }
    all.emplace(key >> 3, content);
  }
  return all;
}

std::string field(std::string_view message, std::uint64_t number) {
  const auto all = fields(message);
  const auto found = all.find(number);
  return found == all.end() ? "absent" : found->second;
}

// An 8-bit RGB header is all that is looked at.
std::string png_of(char width, char height, char colour_type) {
  using namespace std::string_literals;
  return "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0"s + width + "\0\0\0"s + height + "\x08"s +
         colour_type + "rest of the file";
}

TEST(TensorBoard, ChecksumIsCastagnoli) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);  // RFC 3720, B.4
}

TEST(TensorBoard, ScalarsOfAStep) {
  test::TempDir directory;
  TensorBoardWriter writer(directory.path(), 0);
  writer.scalars(300, {{"loss", 0.25}, {"rate", 1e-3}});
  const auto events = frames(test::read_text(writer.path()));
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(field(events[0], 3), "brain.Event:2");
  EXPECT_GT(load<double>(field(events[2], 1)), 1.7e9);
  EXPECT_EQ(field(events[2], 2), "300");
  const auto values = fields(field(events[2], 5));
  ASSERT_EQ(values.count(1), 2u);
  auto value = values.begin();
  EXPECT_EQ(field(value->second, 1), "loss");
  EXPECT_EQ(load<float>(field(value->second, 2)), 0.25f);
  ++value;
  EXPECT_EQ(field(value->second, 1), "rate");
  EXPECT_EQ(load<float>(field(value->second, 2)), 1e-3f);
}

TEST(TensorBoard, ResumeMarksWhereItGoesOn) {
  test::TempDir directory;
  const TensorBoardWriter first(directory.path(), 0);
  const TensorBoardWriter second(directory.path(), 42);
  EXPECT_LT(first.path(), second.path()) << "read in the order of names";
  const auto events = frames(test::read_text(second.path()));
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(field(events[1], 2), "42");
  EXPECT_EQ(field(field(events[1], 7), 1), "1");  // SessionLog START
}

TEST(TensorBoard, Images) {
  test::TempDir directory;
  TensorBoardWriter writer(directory.path(), 0);
  const std::string png = png_of(5, 7, 2);
  writer.image(9, "samples", png);
  const auto events = frames(test::read_text(writer.path()));
  const std::string value = field(field(events.at(2), 5), 1);
  EXPECT_EQ(field(value, 1), "samples");
  const std::string image = field(value, 4);
  EXPECT_EQ(field(image, 1), "7");
  EXPECT_EQ(field(image, 2), "5");
  EXPECT_EQ(field(image, 3), "3");
  EXPECT_EQ(field(image, 4), png);
  EXPECT_THAT(test::message_of<Error>([&] { writer.image(9, "samples", "GIF89a"); }),
              HasSubstr("no PNG file"));
}

}  // namespace
}  // namespace edt
