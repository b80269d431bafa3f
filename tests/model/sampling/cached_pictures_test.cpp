// Cached sampling of whole models: what must stay equal, what it takes, what it spares.
#include <gmock/gmock.h>

#include "core/cpu/cpu_backend.h"
#include "model/families/presets.h"
#include "model/plan/gemms.h"
#include "model/plan/sampler_run.h"
#include "model/sampling/picture_sampler.h"
#include "tests/model/sampling/drawn_model.h"
#include "tests/support/tiny_models.h"

namespace edt::test {
namespace {

class Drawn {
 public:
  explicit Drawn(const ModelConfig& config, DType dtype = DType::kFloat32)
      : model_(config, *backend_, dtype), sampler(*model_, *backend_, dtype) {}

  Backend& backend() { return *backend_; }
  std::vector<float> pictures(const PictureRequest& request) {
    std::vector<float> latents(request.labels.size() * sampler.picture_elements());
    sampler.run(request, latents);
    return latents;
  }

 private:
  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  DrawnModel model_;

 public:
  PictureSampler sampler;
};

std::vector<ModelConfig> models() {
  return {tiny_edt(), tiny_mdtv2(), tiny_dit(), of_a_flow(tiny_dit()),
          of_a_flow(tiny_lightning_dit())};
}

std::vector<SolverKind> solvers_of(const ModelConfig& config) {
  if (config.common().process.discrete()) return {SolverKind::kDdpm, SolverKind::kDdim};
  return {SolverKind::kEuler, SolverKind::kHeun, SolverKind::kSdeHeun, SolverKind::kDpm};
}

PictureRequest request_of(SolverKind kind, const CacheConfig& cache) {
  PictureRequest request{.labels = {0, 1, 2}, .batch = 2, .cache = cache};
  request.solver.kind = kind;
  request.solver.spacing = "5";
  request.guidance.scale = 1.5;
  return request;
}

const CacheConfig kFora{.kind = CacheKind::kFora, .interval = 2};
const CacheConfig kTaylor{.kind = CacheKind::kTaylor, .interval = 2, .order = 2};

TEST(CachedPictures, WithIntervalOneAreThoseWithoutBitForBit) {
  for (const ModelConfig& config : models()) {
    Drawn model(config);
    for (const SolverKind solver : solvers_of(config)) {
      const auto without = model.pictures(request_of(solver, {}));
      for (CacheConfig cache : {kFora, kTaylor}) {
        EXPECT_NE(model.pictures(request_of(solver, cache)), without) << config.name();
        cache.interval = 1;
        EXPECT_EQ(model.pictures(request_of(solver, cache)), without) << config.name();
      }
    }
  }
}

// All steps of a warm-up are computed: the cache keeps, and changes nothing.
TEST(CachedPictures, OfStepsThatAreAllComputedAreThoseWithoutBitForBit) {
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    for (const ModelConfig& config : models()) {
      Drawn model(config, dtype);
      CacheConfig cache = kTaylor;
      cache.warmup = 5;
      const SolverKind solver = solvers_of(config).back();
      const auto kept = model.pictures(request_of(solver, cache));
      EXPECT_GT(model.sampler.cache()->peak_bytes(), 0u);
      EXPECT_EQ(kept, model.pictures(request_of(solver, {}))) << config.name();
    }
  }
}

// Nothing is left of the batch before, nor of the rows that guidance adds in a part of the times.
TEST(CachedPictures, DoNotDependOnTheirBatch) {
  for (const ModelConfig& config : models()) {
    Drawn model(config);
    for (const SolverKind solver : solvers_of(config)) {
      for (CacheConfig cache : {kFora, kTaylor}) {
        for (const bool lite : {false, true}) {
          cache.lite = lite;
          PictureRequest request = request_of(solver, cache);
          request.guidance.low = 0.3;
          request.guidance.high = 0.7;
          const auto together = model.pictures(request);
          EXPECT_EQ(model.pictures(request), together) << "again, on the same sampler";
          request.batch = 1;
          const auto alone = model.pictures(request);
          for (std::size_t i = 0; i < alone.size(); ++i) {
            ASSERT_NEAR(alone[i], together[i], 1e-4 + 1e-4 * std::abs(together[i]))
                << config.name();
          }
        }
      }
    }
  }
}

TEST(CachedPictures, PartsAndTheLiteFormAreDifferentThings) {
  Drawn model(tiny_edt());
  std::vector<std::vector<float>> all;
  for (const auto& [attention, mlp, lite] :
       {std::tuple{true, true, false}, {true, false, false}, {false, true, false}, {1, 1, 1}}) {
    CacheConfig cache = kFora;
    cache.attention = attention;
    cache.mlp = mlp;
    cache.lite = lite;
    all.push_back(model.pictures(request_of(SolverKind::kDdim, cache)));
  }
  for (std::size_t a = 0; a < all.size(); ++a) {
    for (std::size_t b = 0; b < a; ++b) EXPECT_NE(all[a], all[b]) << a << " " << b;
  }
}

TEST(CachedPictures, TakeTheMemoryThatWasPlanned) {
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    for (const ModelConfig& config : models()) {
      Drawn model(config, dtype);
      for (const SolverKind solver : solvers_of(config)) {
        for (CacheConfig cache : {kFora, kTaylor}) {
          for (const bool lite : {false, true}) {
            cache.lite = lite;
            (void)model.pictures(request_of(solver, cache));
            const PlannedSampler planned{
                .model = config, .dtype = dtype, .pictures = 2, .cache = cache, .solver = solver};
            EXPECT_EQ(model.sampler.cache()->peak_bytes(), dry_run_of_cache(planned))
                << config.name();
          }
        }
      }
    }
  }
}

TEST(CachedPictures, CountInTheMemoryOfASampler) {
  PlannedSampler planned{.model = tiny_dit(), .pictures = 8};
  for (const std::int64_t pictures : {8, 1 << 14}) {
    planned.pictures = pictures;
    planned.cache = {};
    const std::size_t without = dry_run_of_sampler(planned);
    planned.cache = kTaylor;
    EXPECT_GE(dry_run_of_sampler(planned), without + dry_run_of_cache(planned)) << pictures;
  }
}

// The limits of FFN reuse: everything anew, and nothing.
TEST(FfnReuse, OfAllOrNothingIsNoReuseOrACacheOfMlps) {
  for (const ModelConfig& config : {models()[0], models()[1], models()[3]}) {
    Drawn model(config);
    const SolverKind solver = solvers_of(config).front();
    const auto with = [&](const FfnReuseConfig& reuse_config, FfnUse* use = nullptr) {
      FfnReuse reuse(reuse_config, model.backend());
      PictureRequest request = request_of(solver, {});
      request.ffn_reuse = &reuse;
      const auto latents = model.pictures(request);
      if (use != nullptr) *use = reuse.use().back();
      return latents;
    };
    // One op in the place of three rounds otherwise.
    const auto near = [&](const std::vector<float>& a, const std::vector<float>& b) {
      for (std::size_t i = 0; i < a.size(); ++i) {
        ASSERT_NEAR(a[i], b[i], 1e-4 + 1e-4 * std::abs(b[i])) << config.name();
      }
    };
    const auto plain = model.pictures(request_of(solver, {}));
    const auto parts = with({.sparse_steps = 0});
    near(parts, plain);
    EXPECT_EQ(with({.sparse_steps = 2, .threshold = -1}), parts);
    CacheConfig cache{.kind = CacheKind::kTaylor, .interval = 3, .order = 0, .warmup = 1};
    cache.attention = false;
    FfnUse use;
    near(with({.sparse_steps = 2, .threshold = 1e9}, &use),
         model.pictures(request_of(solver, cache)));
    EXPECT_EQ(use.marked, 0);
    EXPECT_EQ(use.marked_tiles, 0);
    EXPECT_GT(use.tiles, 0);
    EXPECT_NEAR(use.spared / use.macs, 3.0 / 5, 1e-12) << "of 5 steps 2 are dense";
  }
}

TEST(FfnReuse, NeedsAGelu) {
  Drawn model(of_a_flow(tiny_lightning_dit()));
  FfnReuse reuse({}, model.backend());
  PictureRequest request = request_of(SolverKind::kEuler, {});
  request.ffn_reuse = &reuse;
  EXPECT_THROW(model.pictures(request), UsageError);
}

double share_that_is_cached(const ModelConfig& config, const CacheConfig& cache) {
  return 1 - total_macs(cached_forward_gemms(config, cache)) / total_macs(forward_gemms(config, 1));
}

// Of a block with T tokens of width w: attention 4 w^2 + 2 T w for each token, MLP 8 w^2.
TEST(CachedPictures, SpareTheProductsOfTheirBranches) {
  EXPECT_NEAR(share_that_is_cached(model_preset("EDT-S/2"), kFora), 0.932, 5e-4);
  EXPECT_NEAR(share_that_is_cached(model_preset("EDT-B/2"), kFora), 0.930, 5e-4);
  EXPECT_NEAR(share_that_is_cached(model_preset("DiT-S/2"), kFora), 0.997, 5e-4);
  CacheConfig attention = kFora, mlp = kTaylor;
  attention.mlp = mlp.attention = false;
  const double tokens = 256, width = 384, depth = 12, all = 6.056e9;
  const ModelConfig dit = model_preset("DiT-S/2");
  EXPECT_NEAR(share_that_is_cached(dit, attention),
              depth * tokens * (4 * width * width + 2 * tokens * width) / all, 1e-3);
  EXPECT_NEAR(share_that_is_cached(dit, mlp), depth * tokens * 8 * width * width / all, 1e-3);
  CacheConfig lite = kFora;
  lite.lite = true;
  for (const char* name : {"EDT-S/2", "MDTv2-S/2", "LightningDiT-S/1"}) {
    EXPECT_GT(share_that_is_cached(model_preset(name), lite),
              share_that_is_cached(model_preset(name), kFora))
        << name;
    EXPECT_LT(share_that_is_cached(model_preset(name), lite), 1) << name;
  }
}

}  // namespace
}  // namespace edt::test
