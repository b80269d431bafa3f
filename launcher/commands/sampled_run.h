// A run whose sampling is measured: the options that such commands share, and its model.
#pragma once

#include <memory>

#include "core/options/options.h"
#include "launcher/device/device_options.h"
#include "launcher/recipe/trained_model.h"
#include "launcher/sample/weights_type.h"
#include "model/sampling/picture_sampler.h"

namespace edt {

struct SampledRun {
  std::filesystem::path checkpoint;
  std::string weights = "ema";
  std::int64_t images = 64;
  PictureRequest request{.labels = {},
                         .solver = {},
                         .guidance = {.scale = 1.5},
                         .batch = 16,
                         .init_noise = {},
                         .step_noise = {},
                         .cache = {}};
  DeviceOptions device;
  DType dtype = DType::kFloat32;
  bool json = false;

  std::unique_ptr<Backend> backend;
  std::unique_ptr<TrainedModel> trained;
  std::optional<PictureSampler> sampler;

  void declare(OptionSet& options);
  // Backend, model and sampler, and the labels of the request, classes in turn. UsageError where
  // there is no memory for them with the largest `cache` and the weights that will be used.
  void open(Communicator& world, const CacheConfig& cache = {},
            const WeightsTypeOptions& weights_type = {});
};

}  // namespace edt
