// What an import must not pass over: samples that were never written, orders that may be another
// one, folders that are no classes, and what is there and not taken.
#include <gmock/gmock-matchers.h>

#include "core/base/log.h"
#include "core/storage/hdf5.h"
#include "data/dataset.h"
#include "data/import/import.h"
#include "tests/core/storage/expect_error.h"
#include "tests/core/storage/foreign_hdf5.h"
#include "tests/core/storage/stored_zip.h"
#include "tests/data/import/npy_files.h"
#include "tests/support/temp_dir.h"

namespace edt::data {
namespace {

namespace fs = std::filesystem;
using edt::test::counting;
using edt::test::ForeignFile;
using test::npy_text;
using test::write_bytes;
using test::write_npy;
using testing::HasSubstr;
using testing::Not;

constexpr std::uint64_t kTold = 12, kToldElements = 2 * 3 * 4;

class ImportTells : public testing::Test {
 protected:
  ImportTells() {
    options_.out = directory_ / "out";
    options_.latents = directory_ / "x.h5";
    options_.labels = directory_ / "y.npy";
    options_.classes = kTold;
    options_.scaled = true;
    options_.type = h5::Type::kFloat32;
    options_.replace = true;
    std::vector<std::int64_t> labels(kTold);
    std::iota(labels.begin(), labels.end(), 0);
    write_npy(directory_ / "y.npy", "<i8", {kTold}, labels);
  }

  // The values of sample i begin with i * 24 + 1.
  static std::vector<float> sample(std::uint64_t i) {
    return counting(kToldElements, static_cast<float>(i * kToldElements + 1));
  }
  void write_samples(const fs::path& folder, const std::vector<std::string>& names) const {
    for (std::uint64_t i = 0; i < names.size(); ++i) {
      write_npy(directory_ / folder / names[i], "<f4", {2, 3, 4}, sample(i));
    }
  }
  std::string import() {
    testing::internal::CaptureStderr();
    summary_ = import_data(options_).source;
    log::flush();
    return testing::internal::GetCapturedStderr();
  }

  const edt::test::TempDir directory_;
  ImportOptions options_;
  std::string summary_;
};

// Zeros were refused, other fill values were trained on.
TEST_F(ImportTells, SamplesThatAreTheFillValueWereNeverWritten) {
  const float fill = 0.5;
  const auto own_fill = [&](hid_t p) { H5Pset_fill_value(p, H5T_NATIVE_FLOAT, &fill); };
  const auto write = [&](hsize_t rows, const std::function<void(hid_t)>& storage) {
    const ForeignFile file(directory_ / "x.h5");
    file.add("latents", {kTold, 2, 3, 4}, storage, false);
    file.write_rows("latents", 0, rows, kToldElements);
  };
  for (const auto& storage : std::vector<std::function<void(hid_t)>>{
           own_fill, edt::test::in_chunks({kTold, 2, 3, 4}, own_fill)}) {
    write(7, storage);
    EXPECT_ERROR(import_data(options_), DataError, "x.h5:/latents",
                 "sample 7 is 0.5, the fill value, everywhere: it was never written");
    write(kTold, storage);
    import_data(options_);
  }
}

// Only the plain ones were looked at.
TEST_F(ImportTells, MirroredCopiesThatWereNeverWritten) {
  std::vector<float> values = counting(kTold * kToldElements);
  options_.latents = directory_ / "x.npy";
  options_.flipped_latents = directory_ / "m.npy";
  write_npy(directory_ / "x.npy", "<f4", {kTold, 2, 3, 4}, values);
  std::fill(values.begin() + 5 * kToldElements, values.begin() + 6 * kToldElements, 0.f);
  write_npy(directory_ / "m.npy", "<f4", {kTold, 2, 3, 4}, values);
  EXPECT_ERROR(import_data(options_), DataError, "m.npy",
               "the mirrored copy of sample 5 is zero everywhere");
}

TEST_F(ImportTells, MirroredCopiesThatAreTheLatents) {
  options_.latents = directory_ / "x.npz";
  options_.labels.clear();
  const std::vector<float> values = counting(kTold * kToldElements);
  const std::string array = npy_text("<f4", {kTold, 2, 3, 4}, values);
  const std::string labels = npy_text("<i8", {kTold}, std::vector<std::int64_t>(kTold, 1));
  write_bytes(directory_ / "x.npz",
              edt::test::stored_zip(
                  {{"latents.npy", array}, {"latents_flip.npy", array}, {"labels.npy", labels}}));
  EXPECT_THAT(import(), HasSubstr("sample 0 and its mirrored copy are equal"));
  options_.flipped_key = "latents";
  EXPECT_ERROR(import_data(options_), UsageError, "--flipped-key latents are the latents");
}

// sorted() of Python has img_10 before img_2: labels written in that order were mixed up silently.
TEST_F(ImportTells, LabelsInOneArrayHaveAnOrderThatMayBeAnother) {
  std::vector<std::string> names, padded, numbers;
  for (std::uint64_t i = 0; i < kTold; ++i) {
    names.push_back(fmt::format("img_{}.npy", i));
    padded.push_back(fmt::format("img_{:02}.npy", i));
    numbers.push_back(fmt::format("{}.npy", i));
  }
  write_samples("names", names);
  write_samples("padded", padded);
  write_samples("numbers", numbers);
  options_.latents = directory_ / "names";
  EXPECT_THAT(import(), HasSubstr("img_9.npy before img_10.npy; in that of letters img_10.npy "
                                  "comes first: is that how they were written?"));
  EXPECT_THAT(summary_, HasSubstr("y.npy int64, img_9.npy before img_10.npy"));
  options_.latents = directory_ / "padded";
  EXPECT_THAT(import(), Not(HasSubstr("letters")));
  options_.latents = directory_ / "numbers";
  EXPECT_THAT(import(), Not(HasSubstr("letters")));
  EXPECT_THAT(summary_, HasSubstr("9.npy before 10.npy"));
}

TEST_F(ImportTells, GroupsBesideOneArrayOfLabelsToo) {
  {
    const ForeignFile file(directory_ / "x.h5");
    H5Gclose(H5Gcreate2(file.id, "latents", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    for (std::uint64_t i = 0; i < kTold; ++i) {
      file.add(fmt::format("latents/img_{}", i).c_str(), {2, 3, 4});
    }
    file.add("labels", {kTold}, {}, true, H5T_STD_I32LE, 0);
  }
  options_.labels.clear();
  EXPECT_THAT(import(), HasSubstr("img_9 before img_10"));
}

TEST_F(ImportTells, FoldersOfPartsAreNoClasses) {
  options_.labels.clear();
  options_.classes = 0;
  options_.latents = directory_ / "set";
  write_samples("set/train", {"0.npy", "1.npy"});
  write_samples("set/Val", {"0.npy"});
  EXPECT_ERROR(import_data(options_), UsageError, "its folders (Val, train) are parts of a set",
               "--latents", "--layout classes");
  options_.layout = ImportLayout::kClasses;
  import_data(options_);
  options_.layout = ImportLayout::kAuto;
  write_samples("set/cat", {"0.npy"});
  import_data(options_);
  EXPECT_EQ(Dataset(directory_ / "out").description().classes, 3);
}

TEST_F(ImportTells, AnOrderOfClassesWithoutClasses) {
  options_.latents = directory_ / "names";
  write_samples("names", {"a.npy"});
  options_.class_order = ClassOrder::kName;
  EXPECT_ERROR(import_data(options_), UsageError, "--class-order is of no use");
}

TEST_F(ImportTells, FilesThatAreNotTaken) {
  std::vector<std::string> names;
  for (std::uint64_t i = 0; i < kTold; ++i) names.push_back(fmt::format("{}.npy", i));
  write_samples("some", names);
  options_.latents = directory_ / "some";
  EXPECT_THAT(import(), Not(HasSubstr("not taken")));
  for (const char* other : {"12.pt", "13.pt", "14.npy.gz"}) {
    write_bytes(directory_ / "some" / other, "x");
  }
  EXPECT_THAT(import(), HasSubstr("some: also holds other files, 1 .gz, 2 .pt: not taken"));
  options_.latents = directory_ / "classes";
  options_.labels.clear();
  options_.classes = 0;
  write_samples("classes/cat", {"0.npy"});
  write_samples("classes/dog", {"0.npy"});
  write_bytes(directory_ / "classes/dog/1.pt", "x");
  EXPECT_THAT(import(), HasSubstr("classes: also holds other files, 1 .pt: not taken"));
}

// Labels of another kind beside those of the option, mirrored copies under a name of their own.
TEST_F(ImportTells, ArraysThatAreNotTaken) {
  const auto write = [&](bool more) {
    const ForeignFile file(directory_ / "x.h5");
    file.add("latents", {kTold, 2, 3, 4});
    file.add("num_classes", {1});
    if (more) file.add("latents_aug", {kTold, 2, 3, 4});
    if (more) file.add("lost", {kTold}, {}, false);  // which cannot be read
    if (more) file.add("label", {kTold}, {}, true, H5T_STD_I32LE, 0);
  };
  write(false);
  EXPECT_THAT(import(), Not(HasSubstr("not taken")));
  write(true);
  EXPECT_THAT(import(), HasSubstr("warning"));
  EXPECT_THAT(import(), HasSubstr("x.h5:/latents: beside it the file holds label [12], "
                                  "latents_aug [12, 2, 3, 4], lost: not taken"));
  options_.labels.clear();
  options_.flipped_key = "latents_aug";
  EXPECT_THAT(import(), HasSubstr("beside it the file holds lost: not taken"));
}

TEST_F(ImportTells, AttributesOfGroupsAreAmongWhatIsThere) {
  {
    const ForeignFile file(directory_ / "x.h5");
    for (std::uint64_t i = 0; i < kTold; ++i) {
      const hid_t group =
          H5Gcreate2(file.id, std::to_string(i).c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
      const hid_t space = H5Screate(H5S_SCALAR);
      H5Aclose(H5Acreate2(group, "label", H5T_STD_I32LE, space, H5P_DEFAULT, H5P_DEFAULT));
      H5Sclose(space);
      H5Gclose(group);
      file.add(fmt::format("{}/latents", i).c_str(), {2, 3, 4});
    }
  }
  options_.labels.clear();
  EXPECT_ERROR(import_data(options_), DataError, "there is no 'labels' or 'label'", "*@label");
}

}  // namespace
}  // namespace edt::data
