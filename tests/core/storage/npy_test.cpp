#include "core/storage/npy.h"

#include <cstring>
#include <fstream>
#include <numeric>

#include "core/storage/half.h"
#include "tests/core/storage/expect_error.h"
#include "tests/core/storage/stored_zip.h"
#include "tests/support/temp_dir.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

std::string npy(const std::string& dictionary, const std::string& data, char version = 1) {
  std::string header = dictionary + "\n";
  std::string text = std::string("\x93NUMPY", 6) + version + '\0';
  text += static_cast<char>(header.size() & 0xff);
  text += static_cast<char>(header.size() >> 8);
  if (version > 1) text += std::string(2, '\0');
  return text + header + data;
}

std::string dictionary(const std::string& type, const std::string& shape) {
  return "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }";
}

template <class T>
std::string bytes(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

NpyHeader parse(const std::string& text) {
  return parse_npy_header(std::as_bytes(std::span(text)), text.size(), "x.npy");
}

TEST(Npy, EveryTypeAndVersion) {
  const test::TempDir directory;
  const auto read = [&](const std::string& content) {
    std::ofstream(directory / "a.npy", std::ios::binary) << content;
    NpyReader reader = NpyReader::open(directory / "a.npy");
    EXPECT_EQ(reader.header().shape, (std::vector<std::uint64_t>{3, 2}));
    reader.skip(1);
    std::vector<float> rows(4);
    reader.read(rows);
    return rows;
  };
  const std::vector<float> expected{3, 4, -5, 6};
  EXPECT_EQ(read(npy(dictionary("<f4", "(3, 2)"), bytes<float>({1, 2, 3, 4, -5, 6}))), expected);
  EXPECT_EQ(read(npy(dictionary("<f8", "(3,2)"), bytes<double>({1, 2, 3, 4, -5, 6}), 2)), expected);
  std::vector<half_bits> halves;
  for (float v : {1, 2, 3, 4, -5, 6}) halves.push_back(float_to_half(v));
  EXPECT_EQ(read(npy(dictionary("<f2", "(3, 2,)"), bytes(halves), 3)), expected);
}

TEST(Npy, Labels) {
  const test::TempDir directory;
  std::ofstream(directory / "a.npy", std::ios::binary)
      << npy(dictionary("<i8", "(2,)"), bytes<std::int64_t>({7, std::int64_t{1} << 40}));
  NpyReader reader = NpyReader::open(directory / "a.npy");
  std::vector<std::int32_t> label(1);
  reader.read(label);
  EXPECT_EQ(label[0], 7);
  EXPECT_ERROR(reader.read(label), DataError, "a.npy", "1099511627776", "32 bits");
  std::vector<float> wrong(1);
  EXPECT_ERROR(reader.read(wrong), DataError, "integers");
  EXPECT_ERROR(reader.read(label), DataError, "it has 2");
}

TEST(Npy, HeadersThatLieAreRefused) {
  const std::string data(24, 'x');
  EXPECT_EQ(parse(npy(dictionary("<f4", "(3, 2)"), data)).rows(), 3u);
  EXPECT_ERROR(parse("no array"), DataError, "x.npy", "not a NumPy array");
  EXPECT_ERROR(parse(npy(dictionary("<f4", "(3, 3)"), data)), DataError, "24 bytes");
  EXPECT_ERROR(parse(npy(dictionary("<f4", "(2, 2)"), data)), DataError, "16 bytes", "24 follow");
  EXPECT_ERROR(parse(npy(dictionary("<f4", "(4294967296, 4294967296)"), data)), DataError, "24");
  EXPECT_ERROR(parse(npy(dictionary("<f4", "(99999999999999999999,)"), data)), DataError, "shape");
  EXPECT_ERROR(parse(npy(dictionary("<f4", "(-3, 2)"), data)), DataError, "shape");
  EXPECT_ERROR(parse(npy(dictionary(">f4", "(3, 2)"), data)), DataError, "'>f4'", "<f2");
  EXPECT_ERROR(parse(npy(dictionary("|O", "(3, 2)"), data)), DataError, "'|O'");
  EXPECT_ERROR(parse(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (3, 2), }", data)),
               DataError, "Fortran");
  EXPECT_ERROR(parse(npy("{'descr': '<f4', 'shape': (3, 2), }", data)), DataError, "missing");
  EXPECT_ERROR(
      parse(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (9,), 'shape': (6,)}", data)),
      DataError, "'shape' stands twice");
  EXPECT_ERROR(parse(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,)}", data)),
               DataError, "structured");
  EXPECT_ERROR(parse(npy(dictionary("<f4", "(3, 2)"), data, 4)), DataError, "version 4.0");
  std::string cut = npy(dictionary("<f4", "(3, 2)"), data);
  cut[8] = '\xff';
  cut[9] = '\xff';
  EXPECT_ERROR(parse(cut), DataError, "promises 65535 bytes");
}

TEST(Npz, WrittenArchivesReadBack) {
  const test::TempDir directory;
  std::vector<std::uint8_t> rows(4 * 6);
  std::iota(rows.begin(), rows.end(), std::uint8_t{1});
  NpzWriter writer(directory / "a.npz", "arr_0", {4, 2, 3});
  writer.append(std::span(rows).first(10));
  writer.append(std::span(rows).subspan(10));
  writer.finish();
  EXPECT_EQ(std::distance(fs::directory_iterator(directory.path()), {}), 1);
  auto stream = open_zip_stream(directory / "a.npz", "arr_0");
  ASSERT_EQ(stream->size() % 64, 24u);  // the header is padded to 64
  stream->skip(stream->size() - 24);
  std::vector<std::uint8_t> back(24);
  stream->read(std::as_writable_bytes(std::span(back)));
  EXPECT_EQ(back, rows);
  EXPECT_ERROR(NpyReader::open_member(directory / "a.npz", "arr_0"), DataError, "|u1");
  EXPECT_ERROR(open_zip_stream(directory / "a.npz", "latents"), DataError, "a.npz:latents",
               "arr_0.npy");
  EXPECT_ERROR(open_zip_stream(directory / "b.npz", "latents"), DataError, "b.npz", "not exist");
}

// Whatever is asked for, nothing of a damaged archive is given out.
TEST(Npz, ArchivesThatContradictThemselvesAreRefused) {
  const test::TempDir directory;
  const std::string array = npy(dictionary("<f4", "(2,)"), bytes<float>({1, 2}));
  const auto first_row = [&](const std::string& archive) {
    std::ofstream(directory / "a.npz", std::ios::binary) << archive;
    NpyReader reader = NpyReader::open_member(directory / "a.npz", "x");
    std::vector<float> row(1);
    reader.read(row);
    return row[0];
  };
  EXPECT_EQ(first_row(test::stored_zip({{"x.npy", array}, {"y.npy", array}})), 1.f);
  const auto expect = [&](const std::string& archive, const std::string& part) {
    EXPECT_ERROR(first_row(archive), DataError, "a.npz", part);
  };
  expect(test::stored_zip({{.name = "x.npy", .data = array, .crc_error = 1}}), "CRC");
  expect(test::stored_zip({{.name = "x.npy", .data = array, .local_crc_error = 1}}), "nconsistent");
  expect(test::stored_zip({{.name = "x.npy", .data = array, .local_size_error = 4}}),
         "nconsistent");
  expect(test::stored_zip({{.name = "x.npy", .data = array, .local_name = "z.npy"}}),
         "nconsistent");
  expect(test::stored_zip({{"x.npy", array}, {"x.npy", array}}),
         "two of its members have one name");
  std::string damaged = test::stored_zip({{"x.npy", array}});
  damaged[damaged.find("NUMPY") + array.size() - 3] ^= 1;  // in the second row
  expect(damaged, "CRC");
  expect(test::stored_zip({{"x.npy", array}}).substr(0, 60), "zip");
}

TEST(Npz, UnfinishedArchiveLeavesNothing) {
  const test::TempDir directory;
  {
    NpzWriter writer(directory / "a.npz", "arr_0", {4, 2, 3});
    writer.append(std::vector<std::uint8_t>(6));
    EXPECT_ERROR(writer.finish(), DataError, "a.npz", "6 bytes written", "24");
  }
  EXPECT_TRUE(fs::is_empty(directory.path()));
}

}  // namespace
}  // namespace edt
