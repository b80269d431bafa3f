// `edt data` as a shell sees it.
#include <algorithm>
#include <filesystem>
#include <string>

#include "core/storage/hdf5.h"
#include "tests/support/edt_program.h"
#include "tests/support/text_files.h"

namespace edt::test {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST_F(Cli, ImportSaysWhatIsOfNoUse) {
  const std::string weights = write("w.safetensors", ""), folder = path_ + "/f";
  std::filesystem::create_directories(folder);
  const std::string to = " --out " + path_ + "/set --latents ";
  EXPECT_THAT(refusal("data import" + to + path_ + "/none"), HasSubstr("none: there is no such"));
  EXPECT_THAT(refusal("data import" + to + folder), HasSubstr("f: holds no files of arrays"));
  EXPECT_THAT(refusal("data import" + to + weights), HasSubstr("w.safetensors: is empty"));
  write("f/0.npy", "\x93NUMPY");
  EXPECT_THAT(refusal("data import" + to + folder + " --labels " + folder + " --latents-key x"),
              HasSubstr("--latents-key is a name within"));
  EXPECT_THAT(refusal("data import --out " + path_ + "/set --latents ''"),
              HasSubstr("a text that is not empty"));
}

// Labels of the first classes alone, and labels that count from 1, train all the same.
TEST_F(Cli, ImportSaysWhatIsOddOfLabels) {
  const auto import = [&](const std::string& name, const std::vector<std::int32_t>& labels,
                          const std::string& more) {
    h5::File file = h5::File::create(path_ + "/" + name + ".h5");
    std::vector<float> values(labels.size() * 256);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = i % 2 == 0 ? 1.f : -1.f;
    file.create_dataset("latents", h5::Type::kFloat32, {labels.size(), 4, 8, 8})
        .write(h5::Type::kFloat32, values.data());
    file.create_dataset("labels", h5::Type::kInt32, {labels.size()})
        .write(h5::Type::kInt32, labels.data());
    file.close();
    const Outcome outcome = run("data import --latents " + path_ + "/" + name + ".h5 --out " +
                                    path_ + "/" + name + " " + more,
                                "2>&1");
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    return outcome.output;
  };
  EXPECT_THAT(import("few", {0, 1, 2}, ""),
              HasSubstr("--classes is not given: 1000 classes are taken, the largest label is 2"));
  EXPECT_THAT(import("one", {1, 2, 3}, "--classes 4"),
              HasSubstr("labels are 1 to 3, and no sample has 0: do they count from 1?"));
  EXPECT_THAT(import("all", {0, 1, 2}, "--classes 3"), Not(HasSubstr("warning")));
  EXPECT_THAT(import("gap", {1, 3}, "--classes 4"), Not(HasSubstr("warning")));
}

// Each shard is a file that is open: the limit is raised where the system lets us, else named.
TEST_F(Cli, SetsOfManyShardsAreOpened) {
  ASSERT_EQ(run("data synth --samples 60 --samples-per-shard 1 --image-size 32 --quiet --out " +
                path_ + "/set")
                .status,
            0);
  const auto with_limit = [&](const std::string& limit) {
    return shell("(ulimit " + limit + " 40; exec " + edt_program() + " data info " + path_ +
                 "/set) 2>&1");
  };
  EXPECT_EQ(with_limit("-Sn").status, 0);
  const Outcome refused = with_limit("-n");
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.output, HasSubstr("its 60 shards are open at a time, 40 files are allowed"));
}

TEST_F(Cli, QuietIsQuiet) {
  const std::string synth = "data synth --samples 4 --image-size 64 --out " + path_ + "/set";
  EXPECT_THAT(run(synth, "2>&1").output, HasSubstr("4 samples of 4 x 8 x 8"));
  EXPECT_EQ(run(synth + "2 --quiet", "2>&1").output, "");
  EXPECT_EQ(run("data repack --quiet " + path_ + "/set " + path_ + "/set3", "2>&1").output, "");
  EXPECT_EQ(run("data adopt --quiet " + path_ + "/set", "2>&1").output, "");
}

// What is below the input would be input of the next call.
TEST_F(Cli, RepackedSetsLieElsewhere) {
  write_tiny_set(path_ + "/set");
  EXPECT_THAT(refusal("data repack " + path_ + "/set " + path_ + "/set/below"),
              HasSubstr("/set/below lies below"));
}

// One that was taken for the other made files of both, of which neither knows.
TEST_F(CliRun, RunsAndDataSetsLieApart) {
  const std::string weights = path_ + "/w.safetensors";
  EXPECT_THAT(refusal("data synth --quiet --samples 8 --image-size 64 --out " + run_),
              HasSubstr("holds a run: a data set needs a directory of its own"));
  EXPECT_THAT(refusal("data repack --quiet " + data_ + " " + run_ + "/checkpoints"),
              HasSubstr("holds the checkpoints of a run: a data set needs"));
  EXPECT_THAT(refusal("train --quiet --steps 1 " + tiny_training(data_, data_)),
              HasSubstr("is the data set itself"));
  EXPECT_THAT(refusal("train --quiet --steps 1 " + tiny_training(data_, run_ + "/checkpoints")),
              HasSubstr("holds the checkpoints of a run: a run needs"));
  EXPECT_FALSE(std::filesystem::exists(data_ + "/config.ini"));
  EXPECT_FALSE(std::filesystem::exists(run_ + "/shard-00000-of-00001.h5"));
}

TEST_F(Cli, PathsThatNoShellHasExpandedAreNamed) {
  EXPECT_THAT(
      refusal("data encode --pictures=a.tar --pictures=b.tar --vae v --out " + path_ + "/set"),
      HasSubstr("--pictures is given twice"));
  EXPECT_THAT(refusal("data info '" + path_ + "/*.h5'"), HasSubstr("wildcards"));
  EXPECT_THAT(refusal("data import --latents '" + path_ + "/{0,1}.npy' --out " + path_ + "/set"),
              HasSubstr("braces"));
  EXPECT_THAT(refusal("vae info stabilityai/sd-vae-ft-ema"),
              HasSubstr("there is no such file; nothing is downloaded"));
  EXPECT_THAT(refusal("ckpt import facebook/DiT-XL-2-256 --model DiT-XL/2 --out " + path_ + "/run"),
              HasSubstr("there is no such file; nothing is downloaded"));
  EXPECT_THAT(refusal("train --data s3://bucket/set --run.dir " + path_ + "/run"),
              HasSubstr("not an address or a command"));
  EXPECT_THAT(refusal("data synth --out '$SCRATCH/set'"), HasSubstr("variables ($NAME)"));
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
}

// A full disk is what a limit on the size of files stands for.
TEST_F(CliRun, ImportsThatFindNoRoomLeaveNothing) {
  const std::string weights = path_ + "/w.safetensors", out = path_ + "/new/import";
  ASSERT_EQ(run("ckpt export --quiet " + run_ + " --out " + weights).status, 0);
  const auto with_room = [&](const std::string& blocks, const std::string& command) {
    return shell("(ulimit -f " + blocks + "; exec " + edt_program() + " " + command + ") 2>&1");
  };
  const std::string import = "ckpt import " + weights + " --out " + out + kTinyModel;
  for (const char* blocks : {"0", "8"}) {
    const Outcome outcome = with_room(blocks, import);
    EXPECT_EQ(outcome.status, 5) << outcome.output;
    EXPECT_EQ(std::ranges::count(outcome.output, '\n'), 1) << outcome.output;
    EXPECT_FALSE(std::filesystem::exists(path_ + "/new")) << blocks;
  }
  EXPECT_EQ(run(import).status, 0);
  const Outcome set = with_room(
      "8", "data synth --quiet --samples 64 --image-size 64 --out " + path_ + "/other/set");
  EXPECT_EQ(set.status, 5) << set.output;
  EXPECT_FALSE(std::filesystem::exists(path_ + "/other"));
}

// An export that ends in .pt is opened by torch.load, which finds no PyTorch file.
TEST_F(CliRun, NamesOfOutputsSayTheirFormat) {
  const std::string at = " " + path_ + "/";
  const std::string sample = "sample " + run_ + " --classes 1 --steps 2 ";
  EXPECT_THAT(refusal(sample + "--out" + at + "a.JPG"),
              HasSubstr("a.JPG: what is written there is .png"));
  EXPECT_THAT(refusal(sample + "--npz" + at + "a.h5"), HasSubstr("is .npz"));
  EXPECT_THAT(refusal(sample + "--out -"), HasSubstr("--out -: a file needs a name"));
  EXPECT_THAT(refusal(sample + "--out" + at + "d/a.png --out-dir" + at + "d"),
              HasSubstr("lies in --out-dir"));
  EXPECT_THAT(refusal(sample + "--replace --out" + at + "a.png"),
              HasSubstr("--replace is of no use"));
  EXPECT_THAT(refusal("ckpt export " + run_ + " --out" + at + "a.pt"),
              HasSubstr("is .safetensors"));
  EXPECT_THAT(refusal("data info " + data_ + " --pictures" + at + "a.jpg"), HasSubstr("is .png"));
  EXPECT_THAT(refusal("watch --once " + run_ + " --html" + at + "a.png"),
              HasSubstr("is .html .htm"));
  EXPECT_EQ(run(sample + "--quiet --latents" + at + "a.SAFETENSORS").status, 0);
  EXPECT_EQ(read_text(path_ + "/a.SAFETENSORS").substr(8, 1), "{");
  EXPECT_EQ(run(sample + "--quiet --out" + at + "a.png", "2>&1").output, "");
}

// Weights that are something else are named as that.
TEST_F(Cli, WeightsOfOtherFormatsAreNamed) {
  const std::string import = " --model EDT-S/2 --out " + path_ + "/run";
  const std::string lfs = write("w.safetensors", "version https://git-lfs.github.com/spec/v1\n");
  EXPECT_THAT(refusal("ckpt import " + lfs + import), HasSubstr("a pointer of Git LFS"));
  const std::string index = write("hf/diffusion_pytorch_model.safetensors.index.json", "{}");
  EXPECT_THAT(refusal("ckpt import " + path_ + "/hf" + import),
              testing::AllOf(HasSubstr("names files of parts"), HasSubstr("save_file(d")));
  const std::string pickle = write("w.bin", "\x80\x02}q");
  EXPECT_THAT(refusal("ckpt import " + pickle + import), HasSubstr("a pickle of Python"));
  const std::string whole = write("full/notes.txt", "");
  EXPECT_THAT(refusal("ckpt import " + lfs + " --model EDT-S/2 --out " + path_ + "/full"),
              HasSubstr("/full is not empty"));
}

TEST_F(Cli, PagesOfGroupsAreThoseOfTheirCommands) {
  EXPECT_THAT(refusal("help --man data"), HasSubstr("data is a group of commands"));
  EXPECT_THAT(refusal("help --install-to ''"), HasSubstr("--install-to names no directory"));
  EXPECT_THAT(refusal("''"), HasSubstr("unknown command ''"));
}

}  // namespace
}  // namespace edt::test
