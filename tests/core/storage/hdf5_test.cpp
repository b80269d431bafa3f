#include "core/storage/hdf5.h"

#include <hdf5.h>

#include <fstream>
#include <numeric>

#include "core/storage/half.h"
#include "tests/core/storage/expect_error.h"
#include "tests/support/temp_dir.h"

namespace edt::h5 {
namespace {

TEST(Hdf5, RowsOfEveryTypeComeBack) {
  const test::TempDir directory;
  std::vector<float> values(6 * 4);
  std::iota(values.begin(), values.end(), -3.f);
  {
    File file = File::create(directory / "a.h5");
    for (Type type : {Type::kFloat16, Type::kFloat32, Type::kFloat64, Type::kInt32, Type::kInt64}) {
      DataSet set = file.create_dataset("group/" + std::string(name_of(type)), type, {6, 2, 2});
      set.write_rows(0, 2, Type::kFloat32, values.data());
      set.write_rows(2, 4, Type::kFloat32, values.data() + 8);
    }
    file.close();
  }
  const File file = File::open(directory / "a.h5");
  EXPECT_EQ(file.names("/group").size(), 5u);
  for (const std::string& name : file.names("/group")) {
    const DataSet set = file.dataset("group/" + name);
    EXPECT_EQ(set.shape(), (Shape{6, 2, 2}));
    EXPECT_EQ(name_of(set.type()), name);
    std::vector<float> rows(2 * 4);
    set.read_rows(3, 2, Type::kFloat32, rows.data());
    EXPECT_EQ(rows, std::vector<float>(values.begin() + 12, values.begin() + 20)) << name;
  }
}

TEST(Hdf5, RawOffsetPointsAtTheElements) {
  const test::TempDir directory;
  const std::vector<std::int32_t> values{5, -7, 11};
  {
    File file = File::create(directory / "a.h5", 512);
    file.create_dataset("plain", Type::kInt32, {3}).write(Type::kInt32, values.data());
    file.create_dataset("chunked", Type::kInt32, {3}, 2).write(Type::kInt32, values.data());
    file.close();
  }
  const File file = File::open(directory / "a.h5");
  EXPECT_FALSE(file.dataset("chunked").raw_offset());
  const auto offset = file.dataset("plain").raw_offset();
  ASSERT_TRUE(offset);
  std::ifstream raw(directory / "a.h5", std::ios::binary);
  raw.seekg(static_cast<std::streamoff>(*offset));
  std::vector<std::int32_t> read(3);
  raw.read(reinterpret_cast<char*>(read.data()), 12);
  EXPECT_EQ(read, values);
}

TEST(Hdf5, Attributes) {
  const test::TempDir directory;
  {
    File file = File::create(directory / "a.h5");
    file.write_attribute("text", "latents, \xc3\xa9");
    file.write_attribute("empty", "");
    file.write_attribute("count", 7);
    file.write_attribute("scale", 0.18215);
    file.write_attribute("mean", std::vector<double>{1, 2.5});
    file.write_attribute("count", 8);  // replaces
    DataSet set = file.create_dataset("x", Type::kBFloat16, {2});
    set.write_attribute("range", std::vector<std::int64_t>{3, 9});
  }
  const File file = File::open(directory / "a.h5");
  EXPECT_EQ(file.read_string("text"), "latents, \xc3\xa9");
  EXPECT_EQ(file.read_string("empty"), "");
  EXPECT_EQ(file.read_int("count"), 8);
  EXPECT_EQ(file.read_double("scale"), 0.18215);
  EXPECT_EQ(file.read_doubles("mean"), (std::vector<double>{1, 2.5}));
  EXPECT_EQ(file.dataset("x").read_ints("range"), (std::vector<std::int64_t>{3, 9}));
  EXPECT_EQ(file.dataset("x").type(), Type::kBFloat16);
  EXPECT_ERROR(file.read_int("absent"), DataError, "a.h5:/@absent", "missing");
  EXPECT_ERROR(file.read_int("text"), DataError, "a.h5:/@text", "not an integer");
  EXPECT_ERROR(file.read_double("mean"), DataError, "2 elements");
}

TEST(Hdf5, TextsComeBack) {
  const test::TempDir directory;
  const std::vector<std::string> texts{"a", "", "caf\u00e9 noir", "d"};
  File::Bytes stored;
  {
    File file = File::create(directory / "a.h5");
    (void)file.create_strings("texts", texts, &stored);
    const std::vector<std::int32_t> numbers{1, 2};
    file.create_dataset("numbers", Type::kInt32, {2}).write(Type::kInt32, numbers.data());
    file.close();
  }
  EXPECT_EQ(stored.size, 4 * texts[2].size());
  std::ifstream stream(directory / "a.h5", std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(stream), {});
  EXPECT_EQ(bytes.find(texts[2]), stored.offset + 2 * texts[2].size());
  const File file = File::open(directory / "a.h5");
  EXPECT_EQ(file.dataset("texts").read_strings(0, 4), texts);
  EXPECT_EQ(file.dataset("texts").read_strings(2, 1), std::vector<std::string>{texts[2]});
  EXPECT_EQ(file.dataset("texts").type_name(), "string");
  EXPECT_ERROR(file.dataset("texts").read_strings(3, 2), DataError, "a.h5:/texts", "it has 4");
  EXPECT_ERROR(file.dataset("numbers").read_strings(0, 1), DataError, "int32, not texts");
}

// As h5py writes lists of str.
TEST(Hdf5, TextsOfVariableLength) {
  const test::TempDir directory;
  const std::string path = (directory / "a.h5").string();
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, H5T_VARIABLE);
  H5Tset_cset(type, H5T_CSET_UTF8);
  const hsize_t size = 3;
  const hid_t space = H5Screate_simple(1, &size, nullptr);
  const hid_t set = H5Dcreate2(file, "texts", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  const char* texts[] = {"one", "", "a longer one"};
  H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, texts);
  H5Dclose(set);
  H5Sclose(space);
  H5Tclose(type);
  H5Fclose(file);
  const File opened = File::open(path);
  EXPECT_EQ(opened.dataset("texts").read_strings(0, 3),
            (std::vector<std::string>{"one", "", "a longer one"}));
  EXPECT_EQ(opened.dataset("texts").read_strings(2, 1), std::vector<std::string>{"a longer one"});
}

TEST(Hdf5, AFileIsClosedWithoutErrors) {
  const test::TempDir directory;
  const auto path = directory / "a.h5";
  { const auto file = File::create(path); }
  EXPECT_EQ(H5Eget_num(H5E_DEFAULT), 0) << "errors of the last call";
  { const auto file = File::open(path); }
  EXPECT_EQ(H5Eget_num(H5E_DEFAULT), 0);
}

TEST(Hdf5, BadInputNamesFileAndObject) {
  const test::TempDir directory;
  EXPECT_ERROR(File::open(directory / "none.h5"), DataError, "none.h5 does not exist");
  std::ofstream(directory / "text.h5") << "not an HDF5 file";
  EXPECT_ERROR(File::open(directory / "text.h5"), DataError, "text.h5");
  std::ofstream(directory / "lfs.h5")
      << "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n";
  EXPECT_ERROR(File::open(directory / "lfs.h5"), DataError, "lfs.h5: is a pointer of Git LFS");
  EXPECT_ERROR(File::create(directory / "no" / "dir.h5"), SystemError, "dir.h5");
  File file = File::create(directory / "a.h5");
  DataSet set = file.create_dataset("x", Type::kFloat32, {4});
  std::vector<float> rows(4);
  EXPECT_ERROR(set.read_rows(3, 2, Type::kFloat32, rows.data()), DataError, "a.h5:/x", "3 to 5",
               "it has 4");
  EXPECT_ERROR(file.dataset("group/y"), DataError, "a.h5:/group/y", "missing");
}

TEST(Hdf5, FilesAreTheSameBytesEachTime) {
  const test::TempDir directory;
  const auto write = [&](const std::string& name) {
    File file = File::create(directory / name);
    const float one = 1;
    file.create_dataset("g/x", Type::kFloat32, {1}).write(Type::kFloat32, &one);
    file.write_attribute("a", "b");
    file.close();
    std::ifstream raw(directory / name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(raw), {});
  };
  EXPECT_EQ(write("a.h5"), write("b.h5"));
}

}  // namespace
}  // namespace edt::h5
