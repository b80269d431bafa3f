// Every way in which HDF5 can keep an array: read with the right values, or refused by name.
#include "core/storage/hdf5.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/storage/input_file.h"
#include "tests/core/storage/expect_error.h"
#include "tests/core/storage/foreign_hdf5.h"
#include "tests/support/process_state.h"
#include "tests/support/temp_dir.h"

namespace edt::h5 {
namespace {

namespace fs = std::filesystem;
using test::counting;
using test::ForeignFile;
using test::in_chunks;
using test::TempDir;

// What HDF5 does to a file that it writes (LOCK_EX) or reads (LOCK_SH).
class Lock {
 public:
  Lock(const fs::path& path, int kind) : descriptor_(::open(path.c_str(), O_RDONLY)) {
    ::flock(descriptor_, kind);
  }
  ~Lock() { ::close(descriptor_); }

 private:
  int descriptor_;
};

class Hdf5Storage : public testing::Test {
 protected:
  fs::path path(const std::string& name = "a.h5") const { return directory_ / name; }
  std::vector<float> values(const std::string& name = "x", const std::string& file = "a.h5") const {
    return File::open(path(file)).dataset(name).read_all<float>(Type::kFloat32);
  }
  // Where its bytes are read without HDF5.
  std::optional<std::uint64_t> raw(const std::string& name = "x") const {
    return File::open(path()).dataset(name).proven_offset(InputFile(path()));
  }

  TempDir directory_;
};

TEST_F(Hdf5Storage, EveryKindHasItsValues) {
  unsigned szip = 0;
  H5Zget_filter_info(H5Z_FILTER_SZIP, &szip);
  const std::map<std::string, std::function<void(hid_t)>> kinds{
      {"compact", [](hid_t p) { H5Pset_layout(p, H5D_COMPACT); }},
      {"contiguous", {}},
      {"early", [](hid_t p) { H5Pset_alloc_time(p, H5D_ALLOC_TIME_EARLY); }},
      {"chunked", in_chunks({2, 8})},
      {"uneven chunks", in_chunks({4, 3})},
      {"gzip", in_chunks({2, 8}, [](hid_t p) { H5Pset_deflate(p, 4); })},
      {"shuffle", in_chunks({2, 8}, [](hid_t p) { H5Pset_shuffle(p), H5Pset_deflate(p, 4); })},
      {"fletcher32", in_chunks({2, 8}, [](hid_t p) { H5Pset_fletcher32(p); })},
      {"nbit", in_chunks({2, 8}, [](hid_t p) { H5Pset_nbit(p); })},
      {"scaleoffset",
       in_chunks({2, 8}, [](hid_t p) { H5Pset_scaleoffset(p, H5Z_SO_FLOAT_DSCALE, 3); })},
      {"szip", in_chunks({2, 8}, [&](hid_t p) {
         if (szip & H5Z_FILTER_CONFIG_ENCODE_ENABLED) H5Pset_szip(p, H5_SZIP_NN_OPTION_MASK, 8);
       })}};
  for (const auto& [name, storage] : kinds) {
    for (const hsize_t user_block : {0, 512}) {
      { ForeignFile(path(), user_block).add("x", {6, 8}, storage); }
      EXPECT_EQ(values(), counting(48)) << name;
      EXPECT_EQ(raw().has_value(), name == "contiguous" || name == "early") << name;
    }
  }
}

TEST_F(Hdf5Storage, AMissingFilterIsNamedOnOpening) {
  const auto keep = [](unsigned, size_t, const unsigned*, size_t bytes, size_t*, void**) {
    return bytes;
  };
  const H5Z_class2_t filter{H5Z_CLASS_T_VERS, 301, 1, 1, "house filter", nullptr, nullptr, keep};
  H5Zregister(&filter);
  {
    ForeignFile(path()).add("x", {6, 8}, in_chunks({2, 8}, [](hid_t p) {
                              H5Pset_filter(p, 301, H5Z_FLAG_MANDATORY, 0, nullptr);
                            }));
  }
  EXPECT_EQ(values(), counting(48));
  H5Zunregister(301);
  EXPECT_ERROR(values(), DataError, "a.h5:/x", "'house filter'", "301", "HDF5_PLUGIN_PATH");
}

// h5py's lzf, say, leaves chunks alone that it cannot make smaller.
TEST_F(Hdf5Storage, AMissingFilterThatNoChunkUsesIsNotNeeded) {
  static bool fails = true;
  const auto filter_some = [](unsigned flags, size_t, const unsigned*, size_t bytes, size_t*,
                              void**) { return fails && !(flags & H5Z_FLAG_REVERSE) ? 0 : bytes; };
  const H5Z_class2_t filter{H5Z_CLASS_T_VERS, 302,     1,       1,
                            "house filter",   nullptr, nullptr, filter_some};
  for (const bool used : {false, true}) {
    fails = !used;
    H5Zregister(&filter);
    {
      ForeignFile(path()).add("x", {6, 8}, in_chunks({2, 8}, [](hid_t p) {
                                H5Pset_filter(p, 302, H5Z_FLAG_OPTIONAL, 0, nullptr);
                              }));
    }
    H5Zunregister(302);
    if (used) {
      EXPECT_ERROR(values(), DataError, "a.h5:/x", "302");
    } else {
      EXPECT_EQ(values(), counting(48));
    }
  }
}

// Labels that are all the same, say: a plug-in keeps a chunk of them in a few bytes.
TEST_F(Hdf5Storage, APluginMayCompressMoreThanDeflate) {
  const auto keep_nothing = [](unsigned flags, size_t, const unsigned*, size_t, size_t* room,
                               void** bytes) -> size_t {
    if (!(flags & H5Z_FLAG_REVERSE)) return 1;
    std::free(*bytes);
    *bytes = std::calloc(*room = 4 * 100'000, 1);
    return *room;
  };
  const H5Z_class2_t filter{H5Z_CLASS_T_VERS, 303,     1,       1,
                            "house filter",   nullptr, nullptr, keep_nothing};
  H5Zregister(&filter);
  {
    ForeignFile(path()).add("x", {200'000}, in_chunks({100'000}, [](hid_t p) {
                              H5Pset_filter(p, 303, H5Z_FLAG_MANDATORY, 0, nullptr);
                            }));
  }
  EXPECT_EQ(values(), std::vector<float>(200'000, 0));
  H5Zunregister(303);
}

TEST_F(Hdf5Storage, ADamagedChunkIsFoundByItsFletcher32) {
  {
    ForeignFile(path()).add("x", {6, 8}, in_chunks({2, 8}, [](hid_t p) { H5Pset_fletcher32(p); }));
  }
  const hid_t file = H5Fopen(path().c_str(), H5F_ACC_RDONLY, H5P_DEFAULT),
              set = H5Dopen2(file, "x", H5P_DEFAULT);
  haddr_t address = 0;
  hsize_t begin[2];
  const hid_t space = H5Dget_space(set);
  H5Dget_chunk_info(set, space, 1, begin, nullptr, &address, nullptr);
  H5Sclose(space);
  H5Dclose(set);
  H5Fclose(file);
  test::flip_byte(path(), address + 5);
  EXPECT_ERROR(values(), DataError, "a.h5:/x", "Fletcher32");
}

TEST_F(Hdf5Storage, ExternalStorageIsRefusedByName) {
  {
    ForeignFile(path()).add("x", {6, 8}, [&](hid_t p) {
      H5Pset_external(p, path("values.bin").c_str(), 0, 6 * 8 * 4);
    });
  }
  EXPECT_ERROR(values(), DataError, "a.h5:/x", "values.bin", "external storage");
}

TEST_F(Hdf5Storage, BehindAnExternalLinkAreTheValuesOfTheOtherFile) {
  fs::create_directory(path("other"));
  {
    const ForeignFile other(path("other/b.h5"), 512), file(path());
    other.add("x", {6, 8}, {}, true, H5T_IEEE_F32LE, 100);
    file.add("plain", {64, 64});  // bytes where those of the other file would be
    H5Lcreate_external("other/b.h5", "x", file.id, "x", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("other/b.h5", "/", file.id, "group", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("other/none.h5", "x", file.id, "dangling", H5P_DEFAULT, H5P_DEFAULT);
  }
  EXPECT_EQ(values(), counting(48, 100));
  EXPECT_EQ(values("group/x"), counting(48, 100));
  EXPECT_FALSE(raw());
  EXPECT_FALSE(raw("group/x"));
  EXPECT_TRUE(raw("plain"));
  EXPECT_ERROR(values("dangling"), DataError, "a.h5:/dangling", "other/none.h5");
  const Lock lock(path("other/b.h5"), LOCK_EX);
  EXPECT_ERROR(values(), DataError, "other/b.h5", "open for writing");
}

// HDF5 falls back to the present directory, where another file of that name may lie.
TEST_F(Hdf5Storage, AnExternalLinkLeadsNowhereElse) {
  for (const char* folder : {"set", "work", "store"}) fs::create_directory(path(folder));
  {
    const ForeignFile file(path("set/a.h5"));
    H5Lcreate_external("b.h5", "x", file.id, "x", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("b.h5", "/", file.id, "group", H5P_DEFAULT, H5P_DEFAULT);
    ForeignFile(path("work/b.h5")).add("x", {6, 8}, {}, true, H5T_IEEE_F32LE, 100);
  }
  const test::WorkingDirectory work(path("work"));
  for (const char* name : {"x", "group/x"}) {
    EXPECT_ERROR(values(name, "set/a.h5"), DataError, "set/a.h5:/", "set/b.h5", "missing",
                 "present directory");
  }
  const File file = File::open(path("set/a.h5"));
  EXPECT_ERROR(file.names("/group"), DataError, "set/b.h5", "present directory");
  EXPECT_ERROR(file.is_group("group"), DataError, "set/b.h5", "present directory");
  // Nor where the right one cannot be opened.
  std::ofstream(path("set/b.h5")) << "text";
  EXPECT_ERROR(values("x", "set/a.h5"), DataError, "set/b.h5", "cannot be opened as HDF5");
  fs::remove(path("set/b.h5"));
  // A link to the file stands for it, where nothing is in the way.
  { ForeignFile(path("store/b.h5")).add("x", {6, 8}); }
  fs::rename(path("set/a.h5"), path("store/a.h5"));
  fs::create_symlink(path("store/a.h5"), path("set/a.h5"));
  EXPECT_ERROR(values("x", "set/a.h5"), DataError, "present directory");
  fs::remove(path("work/b.h5"));
  EXPECT_EQ(values("x", "set/a.h5"), counting(48));
}

TEST_F(Hdf5Storage, SoftAndHardLinks) {
  {
    const ForeignFile file(path());
    file.add("x", {6, 8});
    H5Lcreate_soft("/x", file.id, "soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(file.id, "x", file.id, "hard", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/none", file.id, "dangling", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("circle", file.id, "circle", H5P_DEFAULT, H5P_DEFAULT);
  }
  EXPECT_EQ(values("soft"), counting(48));
  EXPECT_EQ(values("hard"), counting(48));
  EXPECT_EQ(raw("soft"), raw("x"));
  EXPECT_ERROR(values("dangling"), DataError, "a.h5:/dangling");
  EXPECT_ERROR(values("circle"), DataError, "a.h5:/circle");
}

TEST_F(Hdf5Storage, WhatWasNeverWrittenIsRefused) {
  const auto early = [](hid_t p) { H5Pset_alloc_time(p, H5D_ALLOC_TIME_EARLY); };
  {
    const ForeignFile file(path());
    file.add("contiguous", {6, 8}, {}, false);
    file.add("chunked", {6, 8}, in_chunks({2, 8}), false);
    for (const char* name : {"half", "gzip"}) {
      file.add(name, {6, 8},
               in_chunks({2, 8},
                         [&](hid_t p) {
                           if (*name == 'g') H5Pset_deflate(p, 4);
                         }),
               false);
      file.write_rows(name, 0, 2, 8);
      file.write_rows(name, 4, 2, 8);
    }
    file.add("early chunks", {6, 8}, in_chunks({2, 8}, early), false);  // cannot be told
    // Rows that were added by a change of the extent, and not written.
    const hsize_t extent[] = {6, 8}, longer[] = {10, 8}, most[] = {H5S_UNLIMITED, 8};
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    in_chunks({2, 8})(creation);
    const hid_t space = H5Screate_simple(2, extent, most);
    const hid_t set =
        H5Dcreate2(file.id, "grown", H5T_IEEE_F32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, counting(48).data());
    H5Dset_extent(set, longer);
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(creation);
    file.add("empty", {0, 8}, in_chunks({2, 8}), false);
  }
  EXPECT_ERROR(values("contiguous"), DataError, "a.h5:/contiguous", "never written");
  EXPECT_ERROR(values("chunked"), DataError, "a.h5:/chunked", "never written");
  EXPECT_ERROR(values("half"), DataError, "a.h5:/half", "2 of 3 chunks");
  EXPECT_ERROR(values("gzip"), DataError, "a.h5:/gzip", "2 of 3 chunks");
  EXPECT_ERROR(values("grown"), DataError, "a.h5:/grown", "3 of 5 chunks");
  EXPECT_EQ(values("early chunks").size(), 48u);
  EXPECT_TRUE(values("empty").empty());
}

TEST_F(Hdf5Storage, AResizableSetHasItsValues) {
  {
    const ForeignFile file(path());
    const hsize_t extent[] = {6, 8}, shorter[] = {5, 8}, most[] = {H5S_UNLIMITED, H5S_UNLIMITED};
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    in_chunks({2, 8})(creation);
    const hid_t space = H5Screate_simple(2, extent, most);
    const hid_t set =
        H5Dcreate2(file.id, "x", H5T_IEEE_F32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, counting(48).data());
    H5Dset_extent(set, shorter);
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(creation);
  }
  EXPECT_EQ(values(), counting(40));
}

TEST_F(Hdf5Storage, AFileThatIsBeingWrittenIsRefused) {
  { ForeignFile(path()).add("x", {6, 8}); }
  {
    const Lock writer(path(), LOCK_EX);
    EXPECT_ERROR(values(), DataError, "a.h5", "open for writing");
  }
  const Lock reader(path(), LOCK_SH);
  EXPECT_EQ(values(), counting(48));
  // The newest format marks it in the file: a copy taken meanwhile keeps the mark.
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
  const hid_t latest = H5Fcreate(path("l.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
  H5Pclose(access);
  H5Fflush(latest, H5F_SCOPE_GLOBAL);
  fs::copy_file(path("l.h5"), path("marked.h5"));
  H5Fstart_swmr_write(latest);
  fs::copy_file(path("l.h5"), path("swmr.h5"));
  H5Fclose(latest);
  EXPECT_ERROR(values("x", "marked.h5"), DataError, "marked.h5", "open for write");
  EXPECT_ERROR(values("x", "swmr.h5"), DataError, "swmr.h5", "open for");
}

TEST_F(Hdf5Storage, DataSpacesWithoutValues) {
  {
    const ForeignFile file(path());
    for (const H5S_class_t kind : {H5S_NULL, H5S_SCALAR}) {
      const hid_t space = H5Screate(kind);
      const char* name = kind == H5S_NULL ? "null" : "scalar";
      const hid_t set =
          H5Dcreate2(file.id, name, H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
      const float value = 7;
      if (kind == H5S_SCALAR) H5Dwrite(set, H5T_NATIVE_FLOAT, space, space, H5P_DEFAULT, &value);
      H5Dclose(set);
      const hid_t attribute =
          H5Acreate2(file.id, name, H5T_STD_I32LE, space, H5P_DEFAULT, H5P_DEFAULT);
      const int number = 3;
      if (kind == H5S_SCALAR) H5Awrite(attribute, H5T_NATIVE_INT, &number);
      H5Aclose(attribute);
      H5Sclose(space);
    }
  }
  EXPECT_ERROR(values("null"), DataError, "a.h5:/null", "no value");
  EXPECT_EQ(values("scalar"), std::vector<float>{7});
  const File file = File::open(path());
  EXPECT_EQ(file.read_int("scalar"), 3);
  EXPECT_ERROR(file.read_int("null"), DataError, "a.h5:/@null", "no value");
}

TEST_F(Hdf5Storage, NumbersOfEveryFormatAreConverted) {
  const hid_t half = test::float16(), swapped_half = test::float16(),
              few_bits = H5Tcopy(H5T_STD_I16LE), committed = H5Tcopy(H5T_IEEE_F32LE),
              brain = H5Tcopy(H5T_IEEE_F32LE);
  H5Tset_order(swapped_half, H5T_ORDER_BE);
  H5Tset_precision(few_bits, 12);
  H5Tset_fields(brain, 15, 7, 8, 0, 7);
  H5Tset_size(brain, 2);
  H5Tset_ebias(brain, 127);
  const std::vector<std::tuple<std::string, hid_t, Type>> kinds{
      {"float16", half, Type::kFloat16},
      {"big-endian float16", swapped_half, Type::kFloat16},
      {"big-endian float32", H5T_IEEE_F32BE, Type::kFloat32},
      {"big-endian float64", H5T_IEEE_F64BE, Type::kFloat64},
      {"float of 16 bits in 2 bytes", brain, Type::kFloat32},
      {"int8", H5T_STD_I8LE, Type::kInt8},
      {"uint32", H5T_STD_U32LE, Type::kUInt32},
      {"big-endian int64", H5T_STD_I64BE, Type::kInt64},
      {"integer of 12 bits in 2 bytes", few_bits, Type::kInt16}};
  for (const auto& [name, type, expected] : kinds) {
    { ForeignFile(path()).add("x", {6, 8}, {}, true, type); }
    EXPECT_EQ(values(), counting(48)) << name;
    const File file = File::open(path());
    EXPECT_EQ(file.dataset("x").type_name(), name);
    EXPECT_EQ(file.dataset("x").type(), expected) << name;
    EXPECT_EQ(raw().has_value(), name == name_of(expected)) << name;
  }
  {
    const ForeignFile file(path());
    H5Tcommit2(file.id, "t", committed, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    file.add("x", {6, 8}, {}, true, committed);
    for (const hid_t type : {half, swapped_half, few_bits, committed, brain}) H5Tclose(type);
  }
  EXPECT_EQ(values(), counting(48));
  EXPECT_TRUE(raw());
}

TEST_F(Hdf5Storage, WhatIsNoNumberIsNamed) {
  const hid_t text = H5Tcopy(H5T_C_S1), enumeration = H5Tenum_create(H5T_STD_I8LE),
              compound = H5Tcreate(H5T_COMPOUND, 8), opaque = H5Tcreate(H5T_OPAQUE, 2),
              list = H5Tvlen_create(H5T_IEEE_F32LE);
  H5Tset_size(text, H5T_VARIABLE);
  const signed char one = 1;
  H5Tenum_insert(enumeration, "TRUE", &one);
  H5Tinsert(compound, "re", 0, H5T_IEEE_F32LE);
  H5Tinsert(compound, "im", 4, H5T_IEEE_F32LE);
  const hsize_t three = 3;
  const hid_t array = H5Tarray_create2(H5T_IEEE_F32LE, 1, &three);
  const std::vector<std::pair<std::string, hid_t>> kinds{{"string", text},
                                                         {"enumeration", enumeration},
                                                         {"compound", compound},
                                                         {"opaque of 2 bytes", opaque},
                                                         {"variable-length sequence", list},
                                                         {"array", array},
                                                         {"object reference", H5T_STD_REF_OBJ},
                                                         {"region reference", H5T_STD_REF_DSETREG},
                                                         {"bit field", H5T_STD_B8LE}};
  for (const auto& [name, type] : kinds) {
    const auto early = [](hid_t p) { H5Pset_alloc_time(p, H5D_ALLOC_TIME_EARLY); };
    { ForeignFile(path()).add("x", {2}, early, false, type); }
    EXPECT_ERROR(values(), DataError, "a.h5:/x", name, "not numbers");
    EXPECT_FALSE(raw()) << name;
  }
  for (const hid_t type : {text, enumeration, compound, opaque, list, array}) H5Tclose(type);
}

TEST_F(Hdf5Storage, TruthValuesOfPythonAreNumbers) {
  {
    const ForeignFile file(path());
    const hid_t truth = H5Tenum_create(H5T_STD_I8LE), space = H5Screate(H5S_SCALAR);
    for (const signed char value : {0, 1}) H5Tenum_insert(truth, value ? "TRUE" : "FALSE", &value);
    const hid_t attribute = H5Acreate2(file.id, "complete", truth, space, H5P_DEFAULT, H5P_DEFAULT);
    const signed char one = 1;
    H5Awrite(attribute, truth, &one);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(truth);
  }
  EXPECT_EQ(File::open(path()).read_int("complete"), 1);
  EXPECT_EQ(File::open(path()).read_double("complete"), 1.);
}

TEST_F(Hdf5Storage, BytesBeforeAFileMoveItsArrays) {
  { ForeignFile(path("plain.h5")).add("x", {6, 8}); }
  std::ifstream plain(path("plain.h5"), std::ios::binary);
  std::ofstream(path(), std::ios::binary) << std::string(1024, '#') << plain.rdbuf();
  EXPECT_EQ(values(), counting(48));
  const std::optional<std::uint64_t> offset = raw();
  if (!offset) return;
  float first = 0;
  InputFile(path()).read_values(*offset, std::span(&first, 1));
  EXPECT_EQ(first, 1.f);
}

TEST_F(Hdf5Storage, FilesInPartsAreRefused) {
  const auto write = [&](const std::string& name, const std::function<void(hid_t)>& driver) {
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    driver(access);
    const hid_t file = H5Fcreate(path(name).c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
    const hsize_t extent[] = {64, 64};
    const hid_t space = H5Screate_simple(2, extent, nullptr);
    const hid_t set =
        H5Dcreate2(file, "x", H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, counting(64 * 64).data());
    H5Dclose(set);
    H5Sclose(space);
    H5Fclose(file);
    H5Pclose(access);
  };
  write("family-%d.h5", [](hid_t p) { H5Pset_fapl_family(p, 8192, H5P_DEFAULT); });
  EXPECT_ERROR(values("x", "family-0.h5"), DataError, "family-0.h5");
  write("split", [](hid_t p) { H5Pset_fapl_split(p, "-m.h5", H5P_DEFAULT, "-r.h5", H5P_DEFAULT); });
  EXPECT_ERROR(values("x", "split-m.h5"), Error, "split-m.h5");
}

TEST_F(Hdf5Storage, FillValues) {
  {
    const ForeignFile file(path());
    const float fill = -2;
    file.add("own", {2}, [&](hid_t p) { H5Pset_fill_value(p, H5T_NATIVE_FLOAT, &fill); });
    file.add("default", {2});
  }
  const File file = File::open(path());
  const std::vector<std::byte> own = file.dataset("own").fill_value(Type::kFloat16);
  ASSERT_EQ(own.size(), 2u);
  EXPECT_EQ(own[1], std::byte{0xc0});  // -2 in float16
  EXPECT_EQ(file.dataset("default").fill_value(Type::kFloat32), std::vector<std::byte>(4));
}

// h5py's bool, of any size and shape.
TEST_F(Hdf5Storage, DataSetsOfTruthValuesAreNumbers) {
  {
    const ForeignFile file(path());
    const hid_t truth = H5Tenum_create(H5T_STD_I8LE);
    for (const signed char value : {0, 1}) H5Tenum_insert(truth, value ? "TRUE" : "FALSE", &value);
    const hsize_t extent[] = {3, 2};
    const hid_t space = H5Screate_simple(2, extent, nullptr);
    const hid_t set = H5Dcreate2(file.id, "x", truth, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    const signed char values[] = {0, 1, 1, 0, 0, 1};
    H5Dwrite(set, truth, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    H5Dclose(set);
    H5Sclose(space);
    H5Tclose(truth);
  }
  const File file = File::open(path());
  const DataSet set = file.dataset("x");
  EXPECT_EQ(set.type_name(), "bool");
  EXPECT_TRUE(is_integer(set.type()));
  EXPECT_EQ(set.read_all<std::int64_t>(Type::kInt64),
            (std::vector<std::int64_t>{0, 1, 1, 0, 0, 1}));
  EXPECT_EQ(set.read_all<double>(Type::kFloat64), (std::vector<double>{0, 1, 1, 0, 0, 1}));
  std::vector<std::int64_t> row(2);
  set.read_rows(1, 1, Type::kInt64, row.data());
  EXPECT_EQ(row, (std::vector<std::int64_t>{1, 0}));
  EXPECT_FALSE(raw());
}

}  // namespace
}  // namespace edt::h5
