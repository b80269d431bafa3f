// Shards that other programs wrote, in every way in which HDF5 can keep them: trained on with the
// right values, or refused before anything begins.
#include <cstdlib>

#include "core/storage/half.h"
#include "data/dataset.h"
#include "tests/core/storage/expect_error.h"
#include "tests/core/storage/foreign_hdf5.h"
#include "tests/data/small_set.h"
#include "tests/support/temp_dir.h"

namespace edt::data {
namespace {

namespace fs = std::filesystem;
using edt::test::counting;
using edt::test::Extent;
using edt::test::ForeignFile;
using edt::test::in_chunks;

constexpr hsize_t kSamples = 4, kSample = 2 * 3 * 4;
const Extent kLatents{kSamples, 2, 3, 4};

class ForeignShard : public testing::Test {
 protected:
  using Add = std::function<void(const ForeignFile&)>;

  fs::path path(const std::string& name = "part.h5") const { return directory_ / name; }

  static void add_attributes(const ForeignFile& file) {
    const hid_t space = H5Screate(H5S_SCALAR);
    for (const auto& [name, value] : std::map<std::string, int>{{"format_version", 1},
                                                                {"num_classes", 200},
                                                                {"image_size", 24},
                                                                {"scale", 1},
                                                                {"complete", 1}}) {
      const hid_t attribute =
          H5Acreate2(file.id, name.c_str(), H5T_STD_I32LE, space, H5P_DEFAULT, H5P_DEFAULT);
      H5Awrite(attribute, H5T_NATIVE_INT, &value);
      H5Aclose(attribute);
    }
    H5Sclose(space);
  }

  // Latents 1, 2, 3, ... and labels 1, 2, 3, 4 unless they are added in another way.
  void write(const Add& latents = {}, const Add& labels = {}) const {
    const ForeignFile file(path());
    add_attributes(file);
    latents ? latents(file) : file.add("latents", kLatents);
    labels ? labels(file) : file.add("labels", {kSamples}, {}, true, H5T_STD_I32LE);
  }

  // All samples, in the order of training.
  std::vector<float> values() const {
    const Dataset dataset(path());
    std::vector<SampleRef> refs;
    for (std::uint64_t i = 0; i < dataset.size(); ++i) refs.push_back({.index = i});
    std::vector<float> latents(refs.size() * kSample);
    labels_.resize(refs.size());
    ReadScratch scratch;
    dataset.read(refs, 1, scratch, latents, labels_);
    return latents;
  }

  void expect_values(const std::string& what) const {
    EXPECT_EQ(values(), counting(kSamples * kSample)) << what;
    EXPECT_EQ(labels_, (std::vector<std::int32_t>{1, 2, 3, 4})) << what;
  }

  edt::test::TempDir directory_;
  mutable std::vector<std::int32_t> labels_;
};

TEST_F(ForeignShard, LatentsAndLabelsOfEveryStorageAreTheirOwn) {
  const std::map<std::string, std::function<void(hid_t)>> kinds{
      {"compact", [](hid_t p) { H5Pset_layout(p, H5D_COMPACT); }},
      {"contiguous", {}},
      {"chunks", in_chunks({3})},
      {"gzip", in_chunks({3}, [](hid_t p) { H5Pset_deflate(p, 4); })},
      {"fletcher32", in_chunks({3}, [](hid_t p) { H5Pset_fletcher32(p); })}};
  for (const auto& kind : kinds) {
    const auto& storage = kind.second;
    const auto latent_storage = [&](hid_t p) {
      if (storage) storage(p);
      const Extent chunk{3, 2, 2, 4};
      if (H5Pget_layout(p) == H5D_CHUNKED) H5Pset_chunk(p, 4, chunk.data());
    };
    write([&](const ForeignFile& file) { file.add("latents", kLatents, latent_storage); },
          [&](const ForeignFile& file) {
            file.add("labels", {kSamples}, storage, true, H5T_STD_I32LE);
          });
    expect_values(kind.first);
  }
}

TEST_F(ForeignShard, BehindLinksAndInVirtualSetsAreTheValuesOfTheOtherFile) {
  fs::create_directory(path("other"));
  {
    const ForeignFile other(path("other/values.h5"), 512);
    other.add("latents", kLatents);
    other.add("labels", {kSamples}, {}, true, H5T_STD_I32LE);
  }
  const auto link = [](const char* name) {
    return [name](const ForeignFile& file) {
      file.add("decoy", {64, 64}, {}, true, H5T_IEEE_F32LE, 5000);
      H5Lcreate_external("other/values.h5", name, file.id, name, H5P_DEFAULT, H5P_DEFAULT);
    };
  };
  write(link("latents"));
  expect_values("latents behind an external link");
  write({}, link("labels"));
  expect_values("labels behind an external link");
  const auto virtual_set = [](const char* name, const Extent& extent, hid_t type) {
    return [=](const ForeignFile& file) {
      file.add(name, extent,
               edt::test::from_sources(extent, {{"other/values.h5", name, 0, 0, kSamples, extent}}),
               false, type);
    };
  };
  write(virtual_set("latents", kLatents, H5T_IEEE_F32LE),
        virtual_set("labels", {kSamples}, H5T_STD_I32LE));
  expect_values("virtual");
  fs::remove(path("other/values.h5"));
  EXPECT_ERROR(Dataset{path()}, DataError, "part.h5", "other/values.h5", "missing");
  write(link("latents"));
  EXPECT_ERROR(Dataset{path()}, DataError, "part.h5:/latents", "other/values.h5");
}

TEST_F(ForeignShard, ASourceThatIsCutShortDuringARunIsNamed) {
  const Extent rows{3000, 2, 3, 4};
  const auto file = path("values.h5");
  for (const bool virtual_set : {false, true}) {
    { ForeignFile(file).add("latents", rows); }
    write(
        [&](const ForeignFile& shard) {
          if (virtual_set) {
            const auto source =
                edt::test::from_sources(rows, {{"values.h5", "latents", 0, 0, 3000, rows}});
            shard.add("latents", rows, source, false);
          } else {
            H5Lcreate_external("values.h5", "latents", shard.id, "latents", H5P_DEFAULT,
                               H5P_DEFAULT);
          }
        },
        [](const ForeignFile& shard) {
          const auto early = [](hid_t p) { H5Pset_alloc_time(p, H5D_ALLOC_TIME_EARLY); };
          shard.add("labels", {3000}, early, false, H5T_STD_I32LE);
        });
    const Dataset dataset(path());
    std::vector<float> sample(kSample);
    ReadScratch scratch;
    const std::vector<SampleRef> refs{{.index = 2990}};
    dataset.read(refs, 1, scratch, sample);
    EXPECT_EQ(sample[0], 2990 * 24 + 1.f);
    fs::resize_file(file, fs::file_size(file) / 2);
    EXPECT_ERROR(dataset.read(refs, 1, scratch, sample), Error, "values.h5", "cut short");
  }
}

TEST_F(ForeignShard, NumbersOfOtherFormatsAreConverted) {
  for (const hid_t type :
       {H5T_STD_I8LE, H5T_STD_U8LE, H5T_STD_U16BE, H5T_STD_I64LE, H5T_STD_U64BE}) {
    write([](const ForeignFile& file) { file.add("latents", kLatents, {}, true, H5T_IEEE_F32BE); },
          [&](const ForeignFile& file) { file.add("labels", {kSamples}, {}, true, type); });
    expect_values("big-endian");
  }
  write({}, [](const ForeignFile& file) {
    file.add("labels", {kSamples, 1}, {}, true, H5T_STD_I32LE);
  });
  expect_values("labels in a column");
  write({}, [](const ForeignFile& file) { file.add("labels", {kSamples}); });
  EXPECT_ERROR(Dataset{path()}, DataError, "part.h5:/labels", "float32", "int32");
  write([](const ForeignFile& file) { file.add("latents", kLatents, {}, true, H5T_STD_I32LE); });
  EXPECT_ERROR(Dataset{path()}, DataError, "part.h5:/latents", "int32", "float16 or float32");
}

TEST_F(ForeignShard, SamplesThatWereNeverWrittenAreRefused) {
  const auto rows = [](hsize_t first, hsize_t count, const std::function<void(hid_t)>& storage) {
    return [=](const ForeignFile& file) {
      file.add("latents", kLatents, storage, false);
      file.write_rows("latents", first, count, kSample);
    };
  };
  const float fill = -7;
  const auto own_fill = [&](hid_t p) { H5Pset_fill_value(p, H5T_NATIVE_FLOAT, &fill); };
  for (const auto& storage : std::vector<std::function<void(hid_t)>>{
           {}, own_fill, in_chunks(kLatents), in_chunks(kLatents, own_fill)}) {
    write(rows(0, 3, storage));
    EXPECT_ERROR(Dataset{path()}, DataError, "part.h5", "sample 3 was never written");
    write(rows(1, 3, storage));
    EXPECT_ERROR(Dataset{path()}, DataError, "part.h5", "sample 0 was never written");
    write([&](const ForeignFile& file) {
      rows(0, 1, storage)(file);
      file.write_rows("latents", 3, 1, kSample);
    });
    EXPECT_ERROR(values(), DataError, "part.h5", "sample 1 was never written");
    EXPECT_ERROR(Dataset(path()).shards()[0]->verify(), DataError, "sample 1 was never written");
  }
  write(rows(0, 2, in_chunks({2, 2, 3, 4})));
  EXPECT_ERROR(Dataset{path()}, DataError, "part.h5:/latents", "1 of 2 chunks");
  write({},
        [](const ForeignFile& file) { file.add("labels", {kSamples}, {}, false, H5T_STD_I32LE); });
  EXPECT_ERROR(Dataset{path()}, DataError, "part.h5:/labels", "never written");
}

// Zeros that our own writer has stored, with a checksum, are values.
TEST_F(ForeignShard, ZerosWithAChecksumAreValues) {
  const Description d = test::small_description();
  DatasetWriter writer(directory_ / "set", d, 1);
  writer.append(std::vector<float>(d.stored_elements()), {}, std::vector<std::int32_t>{0});
  writer.finish();
  Dataset(directory_ / "set").shards()[0]->verify();
}

// Without a recorded place nothing else tells that samples are there under two names.
TEST_F(ForeignShard, SamplesUnderTwoNamesAreRefused) {
  const fs::path set = path("set");
  const auto shard = [&](const std::string& name, float first_latent, float first_label) {
    write(
        [&](const ForeignFile& f) {
          f.add("latents", kLatents, {}, true, H5T_IEEE_F32LE, first_latent);
        },
        [&](const ForeignFile& f) {
          f.add("labels", {kSamples}, {}, true, H5T_STD_I32LE, first_label);
        });
    fs::rename(path(), set / name);
  };
  fs::create_directory(set);
  shard("a.h5", 1, 1);
  shard("b.h5", 2, 1);    // other samples of the same classes
  shard("c.h5", 1, 100);  // the same samples under other labels: two views of them
  EXPECT_EQ(Dataset(set).size(), 3 * kSamples);
  fs::copy(set / "a.h5", set / "d.hdf5");
  EXPECT_ERROR(Dataset{set}, DataError, "a.h5 and ", "d.hdf5 hold the same samples", "count twice");
  fs::remove(set / "d.hdf5");
  fs::create_symlink("b.h5", set / "e.h5");
  EXPECT_ERROR(Dataset{set}, DataError, "b.h5 and ", "e.h5 are the same file");
  fs::remove(set / "e.h5");
  // All of them in one more, as h5py's virtual data sets gather them.
  const Extent all{2 * kSamples, 2, 3, 4};
  const auto gathered = [&](const char* name, Extent extent, hid_t type) {
    return [=](const ForeignFile& file) {
      Extent part = extent;
      part[0] = kSamples;
      file.add(name, extent,
               edt::test::from_sources(extent, {{"set/a.h5", name, 0, 0, kSamples, part},
                                                {"set/b.h5", name, kSamples, 0, kSamples, part}}),
               false, type);
    };
  };
  write(gathered("latents", all, H5T_IEEE_F32LE),
        gathered("labels", {2 * kSamples}, H5T_STD_I32LE));
  EXPECT_EQ(Dataset(path()).size(), 2 * kSamples);
  fs::create_directory(set / "set");
  for (const char* name : {"a.h5", "b.h5"}) fs::create_symlink(set / name, set / "set" / name);
  fs::rename(path(), set / "all.h5");
  EXPECT_ERROR(Dataset{set}, DataError, "all.h5 takes its samples from ", "a.h5, which is a shard");
}

TEST_F(ForeignShard, WhatIsOutsideOfHdf5OrNeedsAMissingFilterIsRefusedOnOpening) {
  write([&](const ForeignFile& file) {
    file.add("latents", kLatents, [&](hid_t p) {
      H5Pset_external(p, path("values.bin").c_str(), 0, kSamples * kSample * 4);
    });
  });
  EXPECT_ERROR(Dataset{path()}, DataError, "part.h5:/latents", "values.bin");
  const auto keep = [](unsigned, size_t, const unsigned*, size_t bytes, size_t*, void**) {
    return bytes;
  };
  const H5Z_class2_t filter{H5Z_CLASS_T_VERS, 301, 1, 1, "house filter", nullptr, nullptr, keep};
  const auto filtered = [](hid_t p) { H5Pset_filter(p, 301, H5Z_FLAG_MANDATORY, 0, nullptr); };
  const auto write_filtered = [&] {
    H5Zregister(&filter);
    write({}, [&](const ForeignFile& file) {
      file.add("labels", {kSamples}, in_chunks({2}, filtered), true, H5T_STD_I32LE);
    });
    std::_Exit(0);
  };
  // Elsewhere: HDF5 looks through all files when it forgets a filter, and ends the program at those
  // that a full disk has kept from being closed.
  EXPECT_EXIT(write_filtered(), ::testing::ExitedWithCode(0), "");
  EXPECT_ERROR(Dataset{path()}, DataError, "part.h5:/labels", "'house filter'", "301");
}

}  // namespace
}  // namespace edt::data
