// Virtual data sets: all values are those of their sources, never fill values.
#include "core/storage/hdf5.h"
#include "core/storage/input_file.h"
#include "tests/core/storage/expect_error.h"
#include "tests/core/storage/foreign_hdf5.h"
#include "tests/support/process_state.h"
#include "tests/support/temp_dir.h"

namespace edt::h5 {
namespace {

namespace fs = std::filesystem;
using test::counting;
using test::Extent;
using test::ForeignFile;
using test::from_sources;
using test::Source;

class Hdf5Virtual : public testing::Test {
 protected:
  Hdf5Virtual() {
    fs::create_directory(directory_ / "src");
    // Rows 0 to 2 and 3 to 5 of 8 values each.
    ForeignFile(directory_ / "src/0.h5").add("x", {3, 8});
    ForeignFile(directory_ / "src/1.h5").add("x", {3, 8}, {}, true, H5T_IEEE_F32LE, 25);
  }
  fs::path path(const std::string& name = "v.h5") const { return directory_ / name; }
  void write(const std::vector<Source>& sources, const Extent& extent = {6, 8}) const {
    ForeignFile(path()).add("x", extent, from_sources(extent, sources), false);
  }
  std::vector<float> values(const std::string& name = "x") const {
    return File::open(path()).dataset(name).read_all<float>(Type::kFloat32);
  }

  const Source first_{"src/0.h5", "x", 0, 0, 3, {3, 8}}, second_{"src/1.h5", "x", 3, 0, 3, {3, 8}};
  test::TempDir directory_;
};

TEST_F(Hdf5Virtual, CompleteSetsHaveTheirValues) {
  write({first_, second_});
  EXPECT_EQ(values(), counting(48));
  {
    const File file = File::open(path());
    const DataSet set = file.dataset("x");
    EXPECT_EQ(set.storage().layout, Layout::kVirtual);
    EXPECT_FALSE(set.proven_offset(InputFile(path())));
  }
  // Two of one file, one opened after the other was read.
  {
    const ForeignFile both(path());
    both.add("x", {6, 8}, from_sources({6, 8}, {first_, second_}), false);
    both.add("y", {6, 8}, from_sources({6, 8}, {first_, second_}), false);
  }
  const File again = File::open(path());
  const DataSet x = again.dataset("x");
  EXPECT_EQ(x.read_all<float>(Type::kFloat32), counting(48));
  EXPECT_EQ(again.dataset("y").read_all<float>(Type::kFloat32), counting(48));
  // A source that is read beside it.
  const File source = File::open(path("src/0.h5"));
  EXPECT_EQ(values(), counting(48));
}

TEST_F(Hdf5Virtual, WholeAndPartOfASource) {
  Source part = second_, rest = second_;
  part.rows = 2;
  rest.to = 5, rest.from = 2, rest.rows = 1;
  write({rest, first_, part});
  EXPECT_EQ(values(), counting(48));
}

// As h5py writes it: the selection of a whole source has no extent in the file.
TEST_F(Hdf5Virtual, AllOfASource) {
  Source whole = second_;
  whole.whole = true;
  write({first_, whole});
  EXPECT_EQ(values(), counting(48));
  { ForeignFile(path("src/1.h5")).add("x", {2, 8}); }
  EXPECT_ERROR(values(), DataError, "v.h5:/x", "24 values are mapped to 16");
}

TEST_F(Hdf5Virtual, AMissingSourceIsNamed) {
  write({first_, second_});
  fs::remove(path("src/1.h5"));
  EXPECT_ERROR(values(), DataError, "v.h5:/x", "src/1.h5", "missing");
}

TEST_F(Hdf5Virtual, ASourceThatWasMovedIsFoundBeside) {
  Source elsewhere = first_;
  elsewhere.file = "/nowhere/at/all/0.h5";
  fs::copy(path("src/0.h5"), path("0.h5"));
  write({elsewhere, second_});
  EXPECT_EQ(values(), counting(48));
  fs::remove(path("0.h5"));
  EXPECT_ERROR(values(), DataError, "v.h5:/x", "0.h5", "missing");
}

// HDF5 would take them, and believe that they are the set's.
TEST_F(Hdf5Virtual, SourcesInThePresentDirectoryAreNot) {
  write({first_, second_});
  fs::rename(path("src"), path("work"));
  fs::create_directory(path("work/src"));
  for (const char* name : {"0.h5", "1.h5"}) fs::copy(path("work") / name, path("work/src") / name);
  const test::WorkingDirectory work(path("work"));
  EXPECT_ERROR(values(), DataError, "v.h5:/x", "src/0.h5", "missing", "present directory");
}

// The directories that HDF5 is told of come first.
TEST_F(Hdf5Virtual, SourcesInTheDirectoriesThatHdf5IsToldOf) {
  write({first_, second_});
  fs::create_directories(path("moved/src"));
  { ForeignFile(path("moved/src/0.h5")).add("x", {3, 8}, {}, true, H5T_IEEE_F32LE, 101); }
  const test::EnvironmentVariable prefixes("HDF5_VDS_PREFIX",
                                           path("nowhere").string() + ":" + path("moved").string());
  EXPECT_EQ(values()[23], 124);
  EXPECT_EQ(values()[24], 25);
}

// Relative to the file: that HDF5 reads once, when it is first used, and so takes other sources
// here than it should. Their first value is the same.
TEST_F(Hdf5Virtual, WhatReadsOtherwiseThanItsSourceIsRefused) {
  write({first_, second_});
  EXPECT_EQ(values(), counting(48));
  fs::create_directories(path("moved/src"));
  { ForeignFile(path("moved/src/0.h5")).add("x", {3, 8}, {}, true, H5T_IEEE_F32LE, 1, 2); }
  const test::EnvironmentVariable prefix("HDF5_VDS_PREFIX", "${ORIGIN}/moved");
  EXPECT_ERROR(values(), DataError, "v.h5:/x", "value [0, 3] reads as 4",
               "moved/src/0.h5:/x has 7");
}

// As HDF5 converts: 0.1 in single precision is another number than in double.
TEST_F(Hdf5Virtual, SourcesOfAnotherType) {
  {
    const ForeignFile file(path("src/0.h5"));
    file.add("x", {3, 8}, {}, false, H5T_IEEE_F64BE);
    const hid_t set = H5Dopen2(file.id, "x", H5P_DEFAULT);
    const std::vector<double> tenths(24, 0.1);
    H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, tenths.data());
    H5Dclose(set);
  }
  write({first_, second_});
  const auto all = values();
  EXPECT_EQ(all[0], 0.1f);
  EXPECT_EQ(all[47], 48);
}

// Selections that are no grid of blocks are compared as a whole.
TEST_F(Hdf5Virtual, AnySelection) {
  const Extent extent{6, 8}, rest{3, 8};
  const auto map = [&](hid_t creation) {
    const hid_t corner = test::rows_of(extent, 0, 3), lower = test::rows_of(extent, 3, 3);
    const Extent start{2, 4}, count{1, 4};
    H5Sselect_hyperslab(corner, H5S_SELECT_NOTB, start.data(), nullptr, count.data(), nullptr);
    H5Sselect_hyperslab(lower, H5S_SELECT_OR, start.data(), nullptr, count.data(), nullptr);
    const hid_t from = H5Screate_simple(2, rest.data(), nullptr);
    H5Sselect_hyperslab(from, H5S_SELECT_NOTB, start.data(), nullptr, count.data(), nullptr);
    H5Pset_virtual(creation, corner, "src/0.h5", "x", from);
    const Extent longer{1, 28}, line{1, 28}, none{0, 0};
    const hid_t line_space = H5Screate_simple(2, longer.data(), nullptr);
    H5Sselect_hyperslab(line_space, H5S_SELECT_SET, none.data(), nullptr, line.data(), nullptr);
    H5Pset_virtual(creation, lower, "src/line.h5", "x", line_space);
    for (const hid_t id : {corner, lower, from, line_space}) H5Sclose(id);
  };
  { ForeignFile(path("src/line.h5")).add("x", {1, 28}, {}, true, H5T_IEEE_F32LE, 21); }
  { ForeignFile(path()).add("x", extent, map, false); }
  EXPECT_EQ(values(), counting(48));
}

TEST_F(Hdf5Virtual, SourcesThatHoldLess) {
  write({first_, second_});
  { ForeignFile(path("src/1.h5")).add("x", {2, 8}); }
  EXPECT_ERROR(values(), DataError, "src/1.h5:/x", "[2, 8]", "mapped up to [2, 7]");
  { ForeignFile(path("src/1.h5")).add("y", {3, 8}); }
  EXPECT_ERROR(values(), DataError, "src/1.h5:/x", "missing");
  { ForeignFile(path("src/1.h5")).add("x", {3, 8}, test::in_chunks({1, 8}), false); }
  EXPECT_ERROR(values(), DataError, "src/1.h5:/x", "never written");
  std::ofstream(path("src/1.h5")) << "text";
  EXPECT_ERROR(values(), DataError, "src/1.h5");
}

TEST_F(Hdf5Virtual, ValuesWithoutASource) {
  write({first_});
  EXPECT_ERROR(values(), DataError, "v.h5:/x", "24 of 48 values");
  write({first_, second_}, {8, 8});
  EXPECT_ERROR(values(), DataError, "v.h5:/x", "48 of 64 values");
  Source twice = second_;
  twice.to = 0;
  write({first_, twice});  // as many values as there are, but on top of each other
  EXPECT_ERROR(values(), DataError, "v.h5:/x", "24 of 48 values");
}

TEST_F(Hdf5Virtual, SourcesInTheSameFileAndOverSources) {
  {
    const ForeignFile file(path());
    file.add("part", {3, 8});
    file.add("both", {6, 8}, from_sources({6, 8}, {{".", "part", 0, 0, 3, {3, 8}}, second_}),
             false);
    file.add("x", {6, 8}, from_sources({6, 8}, {{".", "both", 0, 0, 6, {6, 8}}}), false);
    file.add("circle", {6, 8}, from_sources({6, 8}, {{".", "circle", 0, 0, 6, {6, 8}}}), false);
  }
  EXPECT_EQ(values("both"), counting(48));
  EXPECT_EQ(values(), counting(48));
  EXPECT_ERROR(values("circle"), DataError, "v.h5:/circle", "deep");
  fs::remove(path("src/1.h5"));
  EXPECT_ERROR(values(), DataError, "v.h5:/both", "src/1.h5", "missing");
}

TEST_F(Hdf5Virtual, PatternsAndSelectionsWithoutEndAreRefused) {
  const Extent extent{6, 8}, most{H5S_UNLIMITED, 8}, block{3, 8}, start{0, 0}, stride{3, 8},
      count{H5S_UNLIMITED, 1};
  const auto without_end = [&] {
    const hid_t space = H5Screate_simple(2, extent.data(), most.data());
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), stride.data(), count.data(),
                        block.data());
    return space;
  };
  const auto write_from = [&](const char* source, hid_t from) {
    const ForeignFile file(path());
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE), to = without_end(),
                space = H5Screate_simple(2, extent.data(), most.data());
    EXPECT_GE(H5Pset_virtual(creation, to, source, "x", from), 0);
    H5Dclose(H5Dcreate2(file.id, "x", H5T_IEEE_F32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    for (const hid_t id : {to, space, from}) H5Sclose(id);
    H5Pclose(creation);
  };
  write_from("src/%b.h5", test::rows_of({3, 8}, 0, 3));
  EXPECT_ERROR(values(), DataError, "v.h5:/x", "src/%b.h5", "pattern");
  write_from("src/0.h5", without_end());
  EXPECT_ERROR(values(), DataError, "v.h5:/x", "without an end");
}

}  // namespace
}  // namespace edt::h5
