#include "core/storage/safetensors.h"

#include <fstream>

#include "core/base/dtype.h"
#include "core/storage/half.h"
#include "tests/core/storage/expect_error.h"
#include "tests/support/temp_dir.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

TEST(Safetensors, RoundTrip) {
  const test::TempDir directory;
  const fs::path path = directory / "a.safetensors";
  {
    SafetensorsWriter writer(path,
                             {{"w", SafetensorsType::kF32, {2, 3}},
                              {"h", SafetensorsType::kF16, {2}},
                              {"b", SafetensorsType::kBF16, {2}},
                              {"labels", SafetensorsType::kI64, {2}},
                              {"empty", SafetensorsType::kF32, {0, 5}}},
                             {{"format", "edt"}});
    writer.append_values<float>(std::vector<float>{1, 2, 3, 4, 5, 6});
    writer.append_values<half_bits>(std::vector{float_to_half(-1.5f), float_to_half(8.f)});
    writer.append_values<bfloat16>(std::vector{bfloat16(2.5f), bfloat16(-4.f)});
    writer.append_values<std::int64_t>(std::vector<std::int64_t>{9, -1});
    writer.finish();
  }
  const SafetensorsReader reader(path);
  EXPECT_EQ(reader.entries().size(), 5u);
  EXPECT_EQ(reader.metadata().at("format"), "edt");
  std::vector<float> values(3), two(2);
  reader.read(reader.entry("w"), 2, values);
  EXPECT_EQ(values, (std::vector<float>{3, 4, 5}));
  reader.read(reader.entry("h"), 0, two);
  EXPECT_EQ(two, (std::vector<float>{-1.5, 8}));
  reader.read(reader.entry("b"), 0, two);
  EXPECT_EQ(two, (std::vector<float>{2.5, -4}));
  std::vector<std::int32_t> labels(2);
  reader.read(reader.entry("labels"), 0, labels);
  EXPECT_EQ(labels, (std::vector<std::int32_t>{9, -1}));
  EXPECT_ERROR(reader.read(reader.entry("labels"), 0, two), DataError, "'labels'", "I64");
  EXPECT_ERROR(reader.read(reader.entry("w"), 4, values), DataError, "4 to 7", "6");
  EXPECT_ERROR(reader.entry("x"), DataError, "no tensor 'x'");
}

TEST(Safetensors, HeadersThatLieAreRefused) {
  const test::TempDir directory;
  const auto read = [&](const std::string& header, std::size_t data, std::uint64_t length) {
    std::ofstream file(directory / "a.safetensors", std::ios::binary);
    file.write(reinterpret_cast<const char*>(&length), 8);
    file << header << std::string(data, 'x');
    file.close();
    SafetensorsReader reader(directory / "a.safetensors");
  };
  const auto tensor = [](const std::string& type, const std::string& shape,
                         const std::string& offsets) {
    return R"({"dtype":")" + type + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
  };
  const auto expect = [&](const std::string& header, std::size_t data, const std::string& part) {
    EXPECT_ERROR(read(header, data, header.size()), DataError, "a.safetensors", part);
  };
  const std::string good = R"({"a":)" + tensor("F32", "[2]", "[0,8]") + "}";
  EXPECT_NO_THROW(read(good, 8, good.size()));
  EXPECT_ERROR(read(good, 8, good.size() + 100), DataError, "header claims");
  EXPECT_ERROR(read(good, 8, ~std::uint64_t{0}), DataError, "header claims");
  EXPECT_ERROR(read(good, 8, good.size() - 1), DataError, "not JSON from byte");
  expect("[]", 0, "not a JSON object");
  expect(R"({"a":3})", 8, "missing");
  expect(R"({"a":)" + tensor("F32", "[2]", "[0,9]") + "}", 8, "outside");
  expect(R"({"a":)" + tensor("F32", "[3]", "[0,8]") + "}", 24, "data_offsets give 8");
  expect(R"({"a":)" + tensor("F32", "[4294967296,4294967296]", "[0,8]") + "}", 8,
         "more than the 8");
  expect(R"({"a":)" + tensor("F32", "[-2]", "[0,8]") + "}", 8, "natural numbers");
  expect(R"({"a":)" + tensor("F32", "[2]", "[8,0]") + "}", 8, "outside");
  expect(R"({"a":)" + tensor("C64", "[1]", "[0,8]") + "}", 8, "'C64'");
  expect(good, 12, "the file at");
  expect(R"({"a":)" + tensor("F32", "[2]", "[0,8]") + R"(,"b":)" + tensor("F32", "[2]", "[4,12]") +
             "}",
         12, "'b' begins at byte 4");
  expect(R"({"a":)" + tensor("F32", "[2]", "[0,8]") + R"(,"b":)" + tensor("F32", "[2]", "[12,20]") +
             "}",
         20, "'b' begins at byte 12");
  expect(
      R"({"a":)" + tensor("F32", "[1]", "[0,4]") + R"(,"a":)" + tensor("F32", "[2]", "[0,8]") + "}",
      8, "'a' stands twice");
  expect(R"({"a":{"dtype":"F32","dtype":"I32","shape":[2],"data_offsets":[0,8]}})", 8,
         "'dtype' stands twice");
  expect(" " + good, 8, "not a JSON object");
  expect(R"({"__metadata__":{"k":1}})", 0, "metadata 'k'");
}

// A download that was answered by a page, a file that was not fetched, another library's weights.
TEST(Safetensors, OtherFilesAreCalledWhatTheyAre) {
  const test::TempDir directory;
  const auto refused = [&](const std::string& content, const std::string& what) {
    const fs::path path = directory / "a.safetensors";
    std::ofstream(path, std::ios::binary) << content;
    EXPECT_ERROR(SafetensorsReader{path}, DataError, "a.safetensors: is " + what);
  };
  refused("<!DOCTYPE html><html></html>", "a web page");
  refused("version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "a pointer of Git LFS");
  refused("\x93NUMPY\x01", "an .npy array");
  refused("PK\x03\x04", "a zip archive, safetensors are read");
  refused(std::string("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 14),
          "a PyTorch file (torch.save), safetensors are read, convert it: python3");
  refused("{}", "JSON, safetensors are read");
  refused("", "empty");
}

TEST(Safetensors, UnfinishedFileLeavesNothing) {
  const test::TempDir directory;
  {
    SafetensorsWriter writer(directory / "a.safetensors", {{"w", SafetensorsType::kF32, {2}}});
    EXPECT_ERROR(writer.finish(), UsageError, "header promises");
  }
  EXPECT_TRUE(fs::is_empty(directory.path()));
}

}  // namespace
}  // namespace edt
