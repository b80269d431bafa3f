// Sequences through the program, within the test's own process.
#pragma once

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/storage/npy.h"
#include "core/storage/npz_arrays.h"
#include "data/dataset.h"
#include "tests/data/import/npy_files.h"
#include "tests/launcher/train/edt_command.h"
#include "tests/support/temp_dir.h"

namespace edt::test {

using Numbers = std::vector<float>;

inline Numbers member(const std::filesystem::path& npz, const std::string& name,
                      const std::vector<std::uint64_t>& shape) {
  NpyReader reader = NpyReader::open_member(npz, name);
  EXPECT_EQ(reader.header().shape, shape) << name;
  std::vector<double> values(reader.header().rows() * reader.header().row_elements());
  reader.read(std::span(values));
  return {values.begin(), values.end()};
}

class SequenceRuns : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return (directory_ / name).string(); }

  // The outcome, which is to be a success.
  Outcome done(const std::vector<std::string>& args) const {
    Outcome outcome = edt_command(args);
    EXPECT_EQ(outcome.status, 0) << outcome.error;
    return outcome;
  }
  // The line of a refusal, with status 2.
  std::string refused(const std::vector<std::string>& args) const {
    const Outcome outcome = edt_command(args);
    EXPECT_EQ(outcome.status, 2) << outcome.error;
    return outcome.error;
  }
  void synthesize(const std::string& name, const std::string& length = "24") const {
    done({"data", "synth", path(name), "--length", length, "--samples", "36", "--quiet", "on"});
  }
  std::vector<std::string> training(const std::string& data, const std::string& run) const {
    return {"train",
            "--data",
            path(data),
            "--run.dir",
            path(run),
            "--model",
            "MDTv2-Ti/1d",
            "--model.widths=16",
            "--model.heads=2",
            "--model.depths=2,1",
            "--train.batch=8",
            "--train.micro-batch=4",
            "--train.steps=3",
            "--data.normalize=on",
            "--optimizer.lr=0.02",
            "--run.memory-check=off",
            "--quiet=on"};
  }
  void train(const std::string& data, const std::string& run,
             const std::vector<std::string>& more = {}) const {
    std::vector<std::string> args = training(data, run);
    args.insert(args.end(), more.begin(), more.end());
    done(args);
  }
  std::vector<std::string> sampling(const std::string& run,
                                    const std::vector<std::string>& more) const {
    std::vector<std::string> args{"sample", path(run), "--classes", "1,4",     "--per-class",
                                  "2",      "--steps", "3",         "--quiet", "on"};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }

  // Of the set, in the units of the data, [channels, frames].
  Numbers stored(const std::string& set, std::uint64_t index) const {
    const data::Dataset dataset(path(set));
    Numbers values(dataset.description().latent_elements());
    data::ReadScratch scratch;
    const data::SampleRef ref{.index = index};
    dataset.read(std::span(&ref, 1), 0, scratch, values);
    return values;
  }
  Numbers frames_of(const std::string& set, std::uint64_t index) const {
    const data::Dataset dataset(path(set), {.arrays = {{"frames", {}}}});
    Numbers values(dataset.arrays()[0].elements);
    data::ReadScratch scratch;
    const data::SampleRef ref{.index = index};
    dataset.read_array(0, std::span(&ref, 1), scratch, values);
    return values;
  }

  TempDir directory_;
};

}  // namespace edt::test
