// Sets of other programs that lack only attributes.
#include <functional>

#include "core/storage/file_change.h"
#include "core/storage/hdf5.h"
#include "tests/launcher/data/import_cli.h"

namespace edt::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Adopt : public DataCli {
 protected:
  Adopt() { write("set/part-0.h5", "latents", 4); }

  // As h5py writes it: arrays, and no attribute.
  void write(const std::string& name, const std::string& array, std::uint64_t channels,
             float offset = 0, const std::function<void(h5::File&)>& edit = {}) const {
    fs::create_directories(path(name).parent_path());
    h5::File file = h5::File::create(path(name));
    std::vector<float> values;
    for (std::uint64_t i = 0; i < kSamples * channels * kPlane; ++i) {
      values.push_back(static_cast<float>(i % 7) / 4 - 0.7f + offset);
    }
    file.create_dataset(array, h5::Type::kFloat32, {kSamples, channels, 2, 2})
        .write(h5::Type::kFloat32, values.data());
    file.create_dataset("labels", h5::Type::kInt64, {kSamples})
        .write(h5::Type::kInt64, labels(0, kSamples).data());
    if (edit) edit(file);
    file.close();
  }
  std::string content(const std::string& name) const {
    std::ifstream stream(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  std::string line(const std::string& arguments) const {
    const std::string before = content("set/part-0.h5");
    const CommandOutcome outcome = edt("data adopt " + arguments, "2>&1 >/dev/null");
    EXPECT_EQ(outcome.status, 2) << outcome.output;
    EXPECT_TRUE(content("set/part-0.h5") == before) << "changed";
    return outcome.output;
  }
};

TEST_F(Adopt, WritesWhatIsMissingAndNothingElse) {
  write("set/part-1.h5", "latents", 4, 0.1f);
  EXPECT_THAT(
      edt("data info set", "2>&1").output,
      AllOf(HasSubstr("lacks the attributes format_version, num_classes, image_size, scale"),
            HasSubstr("edt data adopt")));
  const CommandOutcome outcome =
      edt("data adopt set --classes 5 --image-size 16 --scale 0.5", "2>&1");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("2 files adopted"), HasSubstr("num_classes = 5"),
                                    HasSubstr("image_size = 16"), HasSubstr("scale = 0.5"),
                                    HasSubstr("complete = 1")));
  const data::Dataset set(path("set"));
  EXPECT_EQ(set.size(), 2 * kSamples);
  EXPECT_EQ(set.description().scale, 0.5);
  EXPECT_EQ(set.label(3), label_of(3));
  EXPECT_THAT(edt("data adopt set", "2>&1").output, HasSubstr("0 files adopted, 2 lacked nothing"));
  EXPECT_EQ(edt("data verify set", ">/dev/null 2>&1").status, 0);
  EXPECT_EQ(std::distance(fs::directory_iterator(path("set")), {}), 2);
}

// Under the names of other programs; before, 0.18215 was written beside them.
TEST_F(Adopt, WhatTheFileSaysUnderOtherNamesIsTaken) {
  write("set/part-0.h5", "latents", 4, 0, [](h5::File& file) {
    file.write_attribute("scaling_factor", 0.13025);
    file.write_attribute("n_classes", 6);
    file.write_attribute("resolution", 64);
  });
  EXPECT_THAT(line("set --scale 0.5"),
              HasSubstr("part-0.h5@scaling_factor is 0.13025, --scale is 0.5"));
  EXPECT_THAT(line("set --classes 5"), HasSubstr("part-0.h5@n_classes is 6, --classes is 5"));
  const CommandOutcome outcome = edt("data adopt set", "2>&1");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr("scale = 0.13025"), HasSubstr("num_classes = 6"),
                    HasSubstr("@resolution is 64, and --vae-factor 8 times the height")));
  EXPECT_EQ(data::Dataset(path("set")).description().scale, 0.13025);
}

TEST_F(Adopt, WhatCannotBeMeantIsToldAndNotTaken) {
  write("set/part-0.h5", "latents", 4, 0, [](h5::File& file) {
    file.write_attribute("scaling_factor", -0.5);
    file.write_attribute("n_classes", 5.5);
  });
  EXPECT_THAT(line("set"),
              AllOf(HasSubstr("@n_classes is 5.5, which is no number of classes: it is not taken"),
                    HasSubstr("@scaling_factor is -0.5, which is no scale: it is not taken"),
                    HasSubstr("--classes is needed")));
  const CommandOutcome outcome = edt("data adopt set --classes 5", "2>&1");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("scale = 0.18215"));
}

TEST_F(Adopt, DoubtIsRefused) {
  EXPECT_THAT(line("set"), AllOf(HasSubstr("--classes is needed"), HasSubstr("0 to 4")));
  EXPECT_THAT(line("set --classes 4"), HasSubstr("label"));
  EXPECT_THAT(line("set --classes 5 --image-size 64"),
              AllOf(HasSubstr("--image-size is 64"), HasSubstr("16 pixels")));
  write("set/part-0.h5", "latents", 8);
  EXPECT_THAT(line("set --classes 5"), AllOf(HasSubstr("8 channels"), HasSubstr("--moments off")));
  EXPECT_EQ(edt("data adopt set --classes 5 --moments off", "2>&1 >/dev/null").status, 0);
  write("set/part-0.h5", "z", 4);
  EXPECT_THAT(line("set --classes 5"), AllOf(HasSubstr("there are: labels [12], z [12, 4, 2, 2]"),
                                             HasSubstr("edt data import")));
  write("set/part-0.h5", "latents", 4);
  write("set/part-1.h5", "z", 4);
  EXPECT_THAT(line("set --classes 5"), HasSubstr("part-1.h5"));
}

TEST_F(Adopt, WhatTheFileSaysIsKept) {
  {
    fs::remove(path("set/part-0.h5"));
    h5::File file = h5::File::create(path("set/part-0.h5"));
    std::vector<float> values(kSamples * 4 * kPlane, 8.f);
    for (std::size_t i = 0; i < values.size(); i += 2) values[i] = -8;
    file.create_dataset("latents", h5::Type::kFloat32, {kSamples, 4, 2, 2})
        .write(h5::Type::kFloat32, values.data());
    file.create_dataset("labels", h5::Type::kInt64, {kSamples})
        .write(h5::Type::kInt64, labels(0, kSamples).data());
    file.write_attribute("num_classes", 7);
    file.close();
  }
  EXPECT_THAT(line("set --classes 5 --scale 1"),
              AllOf(HasSubstr("num_classes is 7"), HasSubstr("5")));
  EXPECT_THAT(line("set --vae-factor 16"), HasSubstr("--scale"));  // the values are large
  EXPECT_EQ(edt("data adopt set --scale 1", "2>&1 >/dev/null").status, 0);
  EXPECT_EQ(data::Dataset(path("set")).description().classes, 7);
}

// Also of a file that lacks nothing: the second call said nothing and did nothing.
TEST_F(Adopt, WhatIsSaidOfAWholeFileMustBeSo) {
  EXPECT_EQ(edt("data adopt set --classes 5 --scale 1", "2>&1 >/dev/null").status, 0);
  EXPECT_THAT(line("set --classes 6"), HasSubstr("num_classes is 5, --classes is 6"));
  EXPECT_THAT(line("set --scale 0.5"), HasSubstr("scale is 1, --scale is 0.5"));
  EXPECT_THAT(line("set --image-size 32"), HasSubstr("image_size is 16, --image-size is 32"));
  EXPECT_EQ(edt("data adopt set --classes 5 --scale 1 --image-size 16", "2>&1 >/dev/null").status,
            0);
}

// A limit on the sizes of files stops the program after it has written down what it will change.
TEST_F(Adopt, AChangeThatWasInterruptedIsCompleted) {
  {
    h5::File file = h5::File::create(path("set/part-0.h5"));
    const std::vector<float> values(512 * 16, 0.5f);
    file.create_dataset("latents", h5::Type::kFloat32, {512, 4, 2, 2})
        .write(h5::Type::kFloat32, values.data());
    const std::vector<std::int64_t> zeros(512);
    file.create_dataset("labels", h5::Type::kInt64, {512}).write(h5::Type::kInt64, zeros.data());
    file.close();
  }
  const std::string before = content("set/part-0.h5");
  const CommandOutcome stopped =
      shell(fmt::format("cd {} && (ulimit -f {}; exec {} data adopt set --classes 5) 2>&1",
                        directory_.path().string(), before.size() / 512, edt_program()));
  EXPECT_EQ(stopped.status, 5) << stopped.output;
  ASSERT_TRUE(fs::exists(change_path(path("set/part-0.h5")))) << stopped.output;
  EXPECT_THAT(edt("data info set", "2>&1").output,
              AllOf(HasSubstr("part-0.h5"), HasSubstr("interrupted"), HasSubstr("edt data adopt")));
  const CommandOutcome outcome = edt("data adopt set", "2>&1");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("1 file adopted"), HasSubstr("5 classes")));
  EXPECT_EQ(std::distance(fs::directory_iterator(path("set")), {}), 1);
  EXPECT_EQ(edt("data verify set", ">/dev/null 2>&1").status, 0);
  // The record of another file is not applied.
  write_bytes(change_path(path("set/part-0.h5")), "EDTCHNG1 something");
  EXPECT_THAT(line("set"), AllOf(HasSubstr(".part-0.h5.change"), HasSubstr("damaged")));
}

}  // namespace
}  // namespace edt::test
