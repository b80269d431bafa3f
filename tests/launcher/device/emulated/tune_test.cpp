// edt tune, and runs with the file that it writes, on emulated GPUs: the emulated cuBLASLt suggests
// algorithms of pretended speed, one of which rounds otherwise.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "core/json/json_text.h"
#include "launcher/commands/table.h"
#include "launcher/device/gemm_file.h"
#include "parallel/comm/self/self_communicator.h"
#include "parallel/comm/threads/thread_ranks.h"
#include "tests/core/cuda/emulation/runtime.h"
#include "tests/core/storage/expect_error.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"
#include "tests/support/tiny_run.h"

namespace edt::test {
namespace {

using emulation::set_suggestions;
using emulation::Suggestion;
using nlohmann::json;
using testing::HasSubstr;

constexpr Suggestion kFirst{.seconds = 1e-3};
constexpr Suggestion kFaster{.seconds = 0.5e-3, .rounds_each_term = true};

class Tune : public testing::Test {
 protected:
  Tune() { set_suggestions({kFirst, kFaster}); }
  ~Tune() override {
    set_suggestions();
    emulation::set_gpu_name(emulation::kGpuName);
    emulation::set_cublaslt_version(emulation::kCublasLtVersion);
    emulation::set_compute_capability(8, 0);
    emulation::set_most_shared_memory(emulation::kA100SharedMemory);
    for (const char* const pass : {"attention forward", "attention backward"}) {
      emulation::set_seconds_of_launches(pass, 0);
      emulation::set_seconds_of_launches(fmt::format("{} by warpgroups", pass), 0);
    }
  }

  std::filesystem::path path(const char* name) const { return directory_.path() / name; }

  // What the command prints. The model is that of config().
  std::string tune(const std::string& out, std::vector<std::string> more = {}) const {
    std::vector<std::string> args{"--model.preset=EDT-Ti/2",
                                  "--model.image-size=128",
                                  "--model.classes=5",
                                  "--model.widths=16,24,32,24,16",
                                  "--model.heads=2,2,4,2,2",
                                  "--micro-batch=1",
                                  "--rounds=2",
                                  "--out=" + path(out.c_str()).string()};
    args.insert(args.end(), more.begin(), more.end());
    std::ostringstream printed, errors;
    CommandContext context{printed, errors, *world_};
    EXPECT_EQ(edt::tune(args, context), kDone);
    return printed.str();
  }
  GemmFile file(const char* name) const { return parse_gemm_file(read_text(path(name)), name); }

  TrainConfig config(const char* name) const { return tiny_gpu_config(path("data"), path(name)); }
  // Everything that the run leaves behind.
  auto trained(const char* name, const std::filesystem::path& gemms = {}) const {
    if (!std::filesystem::exists(path("data"))) write_tiny_data(path("data"));
    TrainConfig given = config(name);
    given.run.device.gemms = gemms;
    run(given);
    return contents(path(name));
  }

  const TempDir directory_;
  const std::unique_ptr<Communicator> world_ = make_self_communicator();
};

TEST_F(Tune, WritesTheFastestOfEveryProduct) {
  const std::string printed = tune("products.json");
  const GemmFile written = file("products.json");
  EXPECT_EQ(written.gpu, (GpuType{emulation::kGpuName, "8.0", emulation::kMultiprocessors,
                                  emulation::kCublasLtVersion}));
  EXPECT_GT(written.tuned.gemms.size(), 20);
  for (const auto& [key, tuned] : written.tuned.gemms) {
    EXPECT_EQ(tuned.place, 1) << text_of_gemm(key);
    EXPECT_EQ(tuned.candidates, 2);
    EXPECT_EQ(tuned.rounds, 2);
  }
  EXPECT_THAT(printed, HasSubstr("50.0"));
  EXPECT_THAT(printed,
              HasSubstr(fmt::format("{} products, {} of them new", written.tuned.gemms.size(),
                                    written.tuned.gemms.size())));
}

// Two runs with the file have the same bits: those of the algorithms that are in it, for every
// product of their steps.
TEST_F(Tune, RunsTakeTheAlgorithmsOfTheFile) {
  const auto untuned = trained("untuned");
  set_suggestions({kFaster});
  const auto expected = trained("expected");
  ASSERT_NE(untuned, expected);

  set_suggestions({kFirst, kFaster});
  tune("products.json");
  EXPECT_EQ(trained("one", path("products.json")), expected);
  EXPECT_EQ(trained("two", path("products.json")), expected);
  EXPECT_THAT(read_text(path("one") / "config.ini"), HasSubstr(path("products.json").string()));
}

TEST_F(Tune, AddsToAFileAndLeavesWhatItHas) {
  tune("products.json");
  const GemmFile before = file("products.json");
  set_suggestions({kFirst, {.seconds = 0.9e-3}, {.seconds = 0.1e-3}});
  EXPECT_THAT(tune("products.json"), HasSubstr(", 0 of them new"));
  EXPECT_EQ(file("products.json").tuned.gemms, before.tuned.gemms);

  const json printed = parse_json(tune("products.json", {"--micro-batch=2", "--json"}), "output");
  const GemmFile after = file("products.json");
  EXPECT_GT(after.tuned.gemms.size(), before.tuned.gemms.size());
  for (const auto& [key, tuned] : after.tuned.gemms) {
    const auto old = before.tuned.gemms.find(key);
    if (old != before.tuned.gemms.end()) {
      EXPECT_EQ(tuned, old->second) << text_of_gemm(key);
    } else {
      EXPECT_EQ(tuned.place, 2) << text_of_gemm(key);
    }
  }
  EXPECT_EQ(printed["micro_batch"], 2);
}

// 1 ms by the first suggestion, half of it by the other.
TEST_F(Tune, CountsTheProductsOfAStep) {
  const json one = parse_json(tune("one.json", {"--json"}), "output");
  const json two = parse_json(tune("two.json", {"--json", "--accumulate=2"}), "output");
  std::int64_t calls = 0;
  for (const json& gemm : one["products"]) {
    calls += gemm["training_calls"].get<std::int64_t>();
    EXPECT_EQ(gemm["sampling_calls"], 0);
    EXPECT_TRUE(gemm["new"]);
    EXPECT_NEAR(gemm["gain"], 0.5, 1e-6);
  }
  EXPECT_GT(calls, 100);
  EXPECT_NEAR(one["training_step"]["first_seconds"], 1e-3 * static_cast<double>(calls), 1e-6);
  EXPECT_NEAR(one["training_step"]["seconds"], 0.5e-3 * static_cast<double>(calls), 1e-6);
  EXPECT_NEAR(two["training_step"]["seconds"], 1e-3 * static_cast<double>(calls), 1e-6);
}

TEST_F(Tune, CoversSampling) {
  const json printed =
      parse_json(tune("products.json", {"--steps=0", "--sample-batch=3", "--json"}), "output");
  EXPECT_EQ(printed["training_step"]["first_seconds"], 0);
  EXPECT_GT(printed["sampler_step"]["first_seconds"], 0);
  const GemmFile written = file("products.json");
  EXPECT_FALSE(written.tuned.gemms.empty());
  for (const auto& [key, tuned] : written.tuned.gemms) {
    EXPECT_FALSE(key.a_transposed) << text_of_gemm(key);  // no gradients
  }
}

TEST_F(Tune, TakesItsOptions) {
  set_suggestions({kFirst, {.seconds = 0.97e-3}, kFaster});
  tune("near.json", {"--candidates=2", "--rounds=3", "--dtype=bf16"});
  const GemmFile near = file("near.json");
  for (const auto& [key, tuned] : near.tuned.gemms) {
    EXPECT_EQ(std::tuple(tuned.place, tuned.candidates, tuned.rounds), std::tuple(1, 2, 3));
  }
  EXPECT_TRUE(std::ranges::any_of(
      near.tuned.gemms, [](const auto& entry) { return entry.first.in == DType::kBFloat16; }));
  tune("margin.json", {"--candidates=2", "--margin=4"});
  for (const auto& [key, tuned] : file("margin.json").tuned.gemms) EXPECT_EQ(tuned.place, 0);
  tune("tf32.json", {"--tf32"});
  for (const auto& [key, tuned] : file("tf32.json").tuned.gemms) EXPECT_TRUE(key.tf32);
}

// Heads of 52 in bf16, both passes at once, on a GPU that has both kernels.
TEST_F(Tune, ComparesTheKernelsOfAttention) {
  emulation::set_compute_capability(9, 0);
  emulation::set_most_shared_memory(emulation::kH100SharedMemory);
  for (const char* const pass : {"attention forward", "attention backward"}) {
    emulation::set_seconds_of_launches(pass, 2e-4);
    emulation::set_seconds_of_launches(fmt::format("{} by warpgroups", pass), 1e-4);
  }
  const std::vector<std::string> wide{"--model.widths=104,104,104,104,104",
                                      "--model.heads=2,2,2,2,2", "--dtype=bf16", "--steps=1"};
  const std::string printed = tune("products.json", wide);
  const GemmFile written = file("products.json");
  EXPECT_THAT(printed, HasSubstr("2 x 8 x 8 tokens, 2 heads of 52, forward"));
  EXPECT_THAT(printed, HasSubstr("2 x 8 x 8 tokens, 2 heads of 52, backward"));
  EXPECT_THAT(printed, HasSubstr("warpgroups"));
  ASSERT_FALSE(written.tuned.attentions.empty());
  for (const auto& [key, tuned] : written.tuned.attentions) {
    EXPECT_TRUE(tuned.warpgroups) << text_of_attention(key);  // not where values are all 0
  }
  emulation::set_seconds_of_launches("attention forward", 1e-5);
  std::vector<std::string> again = wide;
  again.push_back("--json");
  const json second = parse_json(tune("products.json", again), "output");
  EXPECT_FALSE(second["attention"][0]["new"]);
  EXPECT_EQ(file("products.json").tuned.attentions, written.tuned.attentions);
}

TEST_F(Tune, RefusesAFileOfAnotherGpuAndLeavesItAsItIs) {
  tune("products.json");
  const std::string before = read_text(path("products.json"));
  emulation::set_gpu_name("NVIDIA H200");
  EXPECT_ERROR(tune("products.json"), DataError, "products.json", emulation::kGpuName,
               "NVIDIA H200");
  emulation::set_gpu_name(emulation::kGpuName);
  emulation::set_cublaslt_version(140000);
  EXPECT_ERROR(tune("products.json"), DataError, "products.json", "130000", "140000");
  EXPECT_EQ(read_text(path("products.json")), before);
}

TEST_F(Tune, RefusesWhatItCannotDo) {
  write_text(path("broken.json"), "{");
  EXPECT_ERROR(tune("broken.json"), DataError, "broken.json is no JSON");
  EXPECT_EQ(read_text(path("broken.json")), "{");
  EXPECT_ERROR(tune("none/products.json"), UsageError, "--out", "none");
  EXPECT_ERROR(tune("p.json", {"--steps=0"}), UsageError, "there are no products");
  EXPECT_ERROR(tune("p.json", {"--device=cpu"}), UsageError, "--device must be cuda");
}

TEST_F(Tune, RunsRefuseAFileOfAnotherGpu) {
  tune("products.json");
  emulation::set_cublaslt_version(140000);
  EXPECT_ERROR(trained("run", path("products.json")), DataError, "products.json was made for",
               "130000", "140000");
  EXPECT_ERROR(trained("run", path("none.json")), UsageError, "none.json", "no such file");
}

// The first rank reads; every rank checks its own GPU.
TEST_F(Tune, EveryRankHasTheFirstOnesFile) {
  tune("products.json");
  DeviceOptions device;
  device.kind = DeviceKind::kCuda;
  device.gemms = path("products.json");
  run_ranks(2, [&](Communicator& world) {
    emulation::set_gpu_place(world.rank());
    DeviceOptions own = device;
    if (!world.is_root()) own.gemms = path("another.json");
    EXPECT_NE(own.make_backend(world), nullptr);
  });
  const auto on_two_types = [&] {
    run_ranks(2, [&](Communicator& world) {
      emulation::set_gpu_place(world.rank());
      if (!world.is_root()) emulation::set_gpu_name("NVIDIA H200");
      device.make_backend(world);
    });
  };
  EXPECT_ERROR(on_two_types(), DataError, "products.json", emulation::kGpuName, "NVIDIA H200");
}

}  // namespace
}  // namespace edt::test
