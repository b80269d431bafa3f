// Autoguided sampling of whole models.
#include <gtest/gtest.h>

#include "core/cpu/cpu_backend.h"
#include "model/plan/sampler_run.h"
#include "model/sampling/picture_sampler.h"
#include "tests/model/sampling/drawn_model.h"
#include "tests/support/tiny_models.h"

namespace edt::test {
namespace {

ModelConfig as_flow(ModelConfig config) {
  config.common().process = ProcessConfig::flow();
  return config;
}

struct Guided {
  ModelConfig model, guide;  // of another family or size, but of one process
};

std::vector<Guided> pairs() {
  return {{tiny_edt(), tiny_edt(8)},
          {tiny_mdtv2(), tiny_dit()},
          {tiny_dit(), tiny_edt()},
          {as_flow(tiny_dit()), as_flow(tiny_lightning_dit())},
          {as_flow(tiny_lightning_dit()), as_flow(tiny_edt())}};
}

std::vector<SolverKind> solvers_for(const ModelConfig& config) {
  if (config.common().process.discrete()) {
    return {SolverKind::kDdpm, SolverKind::kDdim, SolverKind::kDpm};
  }
  return {SolverKind::kEuler, SolverKind::kHeun, SolverKind::kSdeEuler, SolverKind::kSdeHeun,
          SolverKind::kDpm};
}

PictureRequest guided_request(SolverKind kind, double scale, const CacheConfig& cache = {}) {
  PictureRequest request{.labels = {0, 1, 2}, .batch = 2, .cache = cache};
  request.solver.kind = kind;
  request.solver.spacing = "5";
  request.guidance.scale = scale;
  return request;
}

std::vector<float> pictures_of(PictureSampler& sampler, const PictureRequest& request) {
  std::vector<float> latents(request.labels.size() * sampler.picture_elements());
  sampler.run(request, latents);
  return latents;
}

const CacheConfig kReused{.kind = CacheKind::kFora, .interval = 2};
const CacheConfig kForetold{.kind = CacheKind::kTaylor, .interval = 2, .order = 2};

// Nothing to move away from, whatever the scale, the type and the cache.
TEST(Autoguidance, ByTheModelItselfIsPlainSamplingBitForBit) {
  const auto backend = make_cpu_backend();
  for (const Guided& pair : pairs()) {
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      DrawnModel model(pair.model, *backend, dtype), same(pair.model, *backend, dtype);
      PictureSampler plain(*model, *backend, dtype);
      PictureSampler guided(*model, *backend, dtype, same.get());
      for (const SolverKind solver : solvers_for(pair.model)) {
        for (const CacheConfig& cache : {CacheConfig{}, kReused, kForetold}) {
          EXPECT_EQ(pictures_of(guided, guided_request(solver, 2.5, cache)),
                    pictures_of(plain, guided_request(solver, 1, cache)))
              << pair.model.name();
        }
      }
    }
  }
}

TEST(Autoguidance, ByAnotherModelIsNeitherPlainNorByTheMissingClass) {
  const auto backend = make_cpu_backend();
  for (const Guided& pair : pairs()) {
    DrawnModel model(pair.model, *backend), guide(pair.guide, *backend, DType::kFloat32, 1000);
    PictureSampler alone(*model, *backend, DType::kFloat32);
    PictureSampler guided(*model, *backend, DType::kFloat32, guide.get());
    for (const SolverKind solver : solvers_for(pair.model)) {
      const auto pictures = pictures_of(guided, guided_request(solver, 1.5));
      EXPECT_NE(pictures, pictures_of(alone, guided_request(solver, 1)));
      EXPECT_EQ(guided.rows_asked(), 2 * alone.rows_asked());
      EXPECT_NE(pictures, pictures_of(alone, guided_request(solver, 1.5)));
      EXPECT_EQ(pictures, pictures_of(guided, guided_request(solver, 1.5)));
      EXPECT_EQ(pictures_of(guided, guided_request(solver, 1)),
                pictures_of(alone, guided_request(solver, 1)));
    }
  }
}

// In steps without guidance the guide is not asked, and its cache begins anew behind them.
TEST(Autoguidance, OutsideItsIntervalAsksTheModelAlone) {
  const auto backend = make_cpu_backend();
  for (const Guided& pair : pairs()) {
    DrawnModel model(pair.model, *backend), guide(pair.guide, *backend, DType::kFloat32, 1000);
    PictureSampler alone(*model, *backend, DType::kFloat32);
    PictureSampler guided(*model, *backend, DType::kFloat32, guide.get());
    const SolverKind solver = solvers_for(pair.model).front();
    PictureRequest request = guided_request(solver, 1.5);
    request.guidance.low = 0.3;
    request.guidance.high = 0.7;
    const auto pictures = pictures_of(guided, request);
    EXPECT_NE(pictures, pictures_of(alone, guided_request(solver, 1)));
    // Of 5 steps with two pictures in each, those within the interval ask the guide too.
    const std::int64_t asked = guided.rows_asked() - 2 * 5;
    EXPECT_GE(asked, 2);
    EXPECT_LE(asked, 2 * 2);
    for (const CacheConfig& cache : {kReused, kForetold}) {
      request.cache = cache;
      const auto cached = pictures_of(guided, request);
      EXPECT_NE(cached, pictures);
      EXPECT_EQ(guided.guide_cache()->use().rows, asked);
      EXPECT_EQ(guided.cache()->use().rows, 2 * 5);
      EXPECT_EQ(pictures_of(guided, request), cached) << "again, on the same sampler";
      request.cache.interval = 1;
      EXPECT_EQ(pictures_of(guided, request), pictures);
    }
  }
}

// Pictures made two and two are as wide a batch as one and one guided by itself.
TEST(Autoguidance, CountsInTheMemoryOfASampler) {
  for (const Guided& pair : pairs()) {
    for (const CacheConfig& cache : {CacheConfig{}, kForetold}) {
      PlannedSampler planned{.model = pair.model, .pictures = 2, .guided = false, .cache = cache};
      const std::size_t alone = dry_run_of_sampler(planned);
      PlannedSampler other = planned;
      other.model = pair.guide;
      planned.guided = true;
      planned.guide = pair.guide;
      const std::size_t both = dry_run_of_sampler(planned);
      EXPECT_GT(both, alone);
      // Host vectors of predictions aside, each takes what it takes alone.
      EXPECT_NEAR(static_cast<double>(both), static_cast<double>(alone + dry_run_of_sampler(other)),
                  0.02 * static_cast<double>(both))
          << pair.model.name();
    }
  }
}

}  // namespace
}  // namespace edt::test
