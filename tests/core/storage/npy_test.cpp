#include "core/storage/npy.h"

#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <numeric>

#include "core/storage/access.h"
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

// What is read back as double, written with the order of bytes `order`.
template <class T>
std::vector<double> back(const test::TempDir& directory, const std::string& code,
                         const std::vector<T>& values) {
  std::string data = bytes(values);
  if (code[0] == '>') {
    for (std::size_t i = 0; i < data.size(); i += sizeof(T)) {
      std::reverse(data.begin() + static_cast<std::ptrdiff_t>(i),
                   data.begin() + static_cast<std::ptrdiff_t>(i + sizeof(T)));
    }
  }
  std::ofstream(directory / "a.npy", std::ios::binary) << npy(dictionary(code, "(3,)"), data);
  NpyReader reader = NpyReader::open(directory / "a.npy");
  std::vector<double> out(3);
  reader.read(out);
  return out;
}

TEST(Npy, EveryNumberIsReadWhateverItsOrderOfBytes) {
  const test::TempDir directory;
  const std::vector<double> small{1, 0, 100}, negative{-1, 0, 100};
  for (const std::string order : {"<", ">", "="}) {
    EXPECT_EQ(back<std::int8_t>(directory, order + "i1", {-1, 0, 100}), negative);
    EXPECT_EQ(back<std::int16_t>(directory, order + "i2", {-1, 0, 100}), negative);
    EXPECT_EQ(back<std::int32_t>(directory, order + "i4", {-1, 0, 100}), negative);
    EXPECT_EQ(back<std::int64_t>(directory, order + "i8", {-1, 0, 100}), negative);
    EXPECT_EQ(back<std::uint16_t>(directory, order + "u2", {1, 0, 100}), small);
    EXPECT_EQ(back<std::uint32_t>(directory, order + "u4", {1, 0, 100}), small);
    EXPECT_EQ(back<std::uint64_t>(directory, order + "u8", {1, 0, 100}), small);
    EXPECT_EQ(back<float>(directory, order + "f4", {-1, 0, 100}), negative);
    EXPECT_EQ(back<double>(directory, order + "f8", {-1, 0, 100}), negative);
    EXPECT_EQ(back<half_bits>(directory, order + "f2", {float_to_half(-1), 0, float_to_half(100)}),
              negative);
  }
  EXPECT_EQ(back<std::uint8_t>(directory, "|u1", {1, 0, 100}), small);
  EXPECT_EQ(back<std::uint8_t>(directory, "|b1", {1, 0, 1}), (std::vector<double>{1, 0, 1}));
}

// Fortran order: the first index runs fastest.
TEST(Npy, FortranOrderIsTurnedIntoCOrder) {
  const test::TempDir directory;
  const std::uint64_t n = 5, c = 2, h = 3, w = 4;
  std::vector<float> fortran;
  for (std::uint64_t l = 0; l < w; ++l) {
    for (std::uint64_t k = 0; k < h; ++k) {
      for (std::uint64_t j = 0; j < c; ++j) {
        for (std::uint64_t i = 0; i < n; ++i) {
          fortran.push_back(static_cast<float>(((i * c + j) * h + k) * w + l));
        }
      }
    }
  }
  std::ofstream(directory / "a.npy", std::ios::binary)
      << npy("{'descr': '<f4', 'fortran_order': True, 'shape': (5, 2, 3, 4), }", bytes(fortran));
  NpyReader reader = NpyReader::open(directory / "a.npy");
  std::vector<float> all(n * c * h * w), expected(all.size());
  std::iota(expected.begin(), expected.end(), 0.f);
  reader.read(all);
  EXPECT_EQ(all, expected);
  reader.seek(3);
  std::vector<float> row(c * h * w);
  reader.read(row);
  EXPECT_EQ(row[0], 3.f * 24);
}

TEST(Npy, SeekingGoesBackToo) {
  const test::TempDir directory;
  std::ofstream(directory / "a.npy", std::ios::binary)
      << npy(dictionary("<i8", "(2,)"), bytes<std::int64_t>({7, 8}));
  NpyReader reader = NpyReader::open(directory / "a.npy");
  std::vector<double> label(1);
  reader.skip(1);
  reader.read(label);
  EXPECT_EQ(label[0], 8);
  reader.seek(0);
  reader.read(label);
  EXPECT_EQ(label[0], 7);
  std::vector<float> wrong(1);
  EXPECT_ERROR(reader.read(wrong), DataError, "int64", "floating point is needed");
  EXPECT_ERROR(reader.seek(3), DataError, "row 3", "it has 2");
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
  EXPECT_ERROR(parse(npy(dictionary("<c8", "(3,)"), data)), DataError, "'<c8'", "f2 f4 f8");
  EXPECT_ERROR(parse(npy(dictionary("f4", "(3, 2)"), data)), DataError, "'f4'");
  EXPECT_ERROR(parse(npy(dictionary("|O", "(3, 2)"), data)), DataError, "Python objects");
  EXPECT_ERROR(parse(npy("{'descr': '<f4', 'fortran_order': Maybe, 'shape': (3, 2), }", data)),
               DataError, "fortran_order");
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
  NpyReader reader = NpyReader::open_member(directory / "a.npz", "arr_0");
  std::vector<double> values(6);
  reader.seek(3);
  reader.read(values);
  EXPECT_EQ(values[5], 24);
  reader.seek(0);  // the member is started again
  reader.read(values);
  EXPECT_EQ(values[0], 1);
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
  expect("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
         "is a pointer of Git LFS");
  expect("<!DOCTYPE html><html>403 Forbidden", "is a web page");
}

// A limit on file sizes that the rows keep, and the archive with its directory does not.
TEST(Npz, AnArchiveThatDoesNotFitIsTroubleOfTheDisk) {
  const test::TempDir directory;
  const std::vector<std::uint8_t> rows(200'000);
  const auto write = [&] {
    NpzWriter writer(directory / "a.npz", "arr_0", {rows.size()});
    writer.append(rows);
    writer.finish();
  };
  signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small{rows.size() + 200, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  EXPECT_ERROR(write(), DiskError, "cannot write", "a.npz", "File too large");
  setrlimit(RLIMIT_FSIZE, &old);
  EXPECT_TRUE(fs::is_empty(directory.path()));
  EXPECT_NO_THROW(write());
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
