// What commands say of a full disk: the same, whichever it is, and nothing half-written stays. A
// limit on the sizes of files does as such a disk, and needs no mount.
#include "tests/launcher/run_cli/shell_run.h"

namespace edt::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class FullDisk : public ShellRun {
 protected:
  CommandOutcome on_full_disk(const std::string& arguments) const {
    return shell("cd " + path_ + " && (ulimit -f 0; exec " + edt_program() + " " + arguments +
                 ") 2>&1 >/dev/null");
  }
  std::size_t count_files() const {
    std::size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(path_)) {
      count += entry.is_regular_file() ? 1 : 0;
    }
    return count;
  }
  void expect_broken_off(const std::string& arguments) const {
    const std::size_t before = count_files();
    const auto outcome = on_full_disk(arguments + " --quiet");
    EXPECT_EQ(outcome.status, 5) << arguments << "\n" << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("edt: error: [")) << arguments;
    EXPECT_THAT(outcome.output, HasSubstr("File too large")) << arguments;
    EXPECT_EQ(std::count(outcome.output.begin(), outcome.output.end(), '\n'), 1)
        << arguments << "\n"
        << outcome.output;
    EXPECT_EQ(count_files(), before) << arguments;
  }
};

TEST_F(FullDisk, BreaksOffWhateverWrites) {
  trained(1);
  const std::string sample = "sample run --classes 1 --steps 2 ";
  for (const std::string& command : {
           sample + "--out o.png",
           sample + "--out-dir singles",
           sample + "--latents z.h5",
           sample + "--latents z.safetensors",
           sample + "--npz n.npz --data data",
           std::string("data synth --samples 4 --image-size 64 --out synth"),
           std::string("data repack data repacked"),
           std::string("data info data --pictures p.png"),
           std::string("ckpt export run --out v.safetensors"),
           std::string("evaluate reference data --samples 16 --out reference.h5"),
           std::string("memory run --images 2 --steps 2 --html memory.html"),
           std::string("watch run --once --html watch.html"),
           std::string("plan --model EDT-S/2 --html plan.html"),
           "bench scale --strong-batch 2 --ranks 1 --out study --micro-batch 2" +
               std::string(kTinyModel),
       }) {
    expect_broken_off(command);
  }
}

// Several lengths are one answer: nor do folders of them stay.
TEST_F(FullDisk, LengthsOfAverages) {
  trained(3, "--optimizer.power-averages 0.05,0.1");
  expect_broken_off("ckpt ema run --length 0.05,0.1 --out lengths");
  EXPECT_FALSE(fs::exists(path_ + "/lengths"));
  ASSERT_EQ(edt("ckpt ema run --length 0.05,0.1 --out lengths").status, 0);
}

}  // namespace
}  // namespace edt::test
