// Samples of golden models by methods that change how the network is computed: on which backends,
// how close, and what is asked for.
#pragma once

#include <initializer_list>
#include <ostream>
#include <string>
#include <vector>

#include "model/sampling/picture_sampler.h"
#include "tests/golden/golden_model.h"

namespace edt::test {

struct SamplesCase {
  std::string file;
  const char* backend;
  DType dtype;
  double tolerance;

  bool is_on_gpu() const { return std::string_view(backend) == "cuda"; }
};

inline void PrintTo(const SamplesCase& c, std::ostream* out) {
  *out << c.file << " on " << c.backend << " in " << name_of(c.dtype);
}

// Of all files of these kinds, on GPUs or on all other backends. Tolerances as in flow_test.cpp.
inline std::vector<SamplesCase> samples_cases(std::initializer_list<const char*> kinds,
                                              bool on_gpu) {
  std::vector<SamplesCase> all;
  for (const char* kind : kinds) {
    for (const std::string& file : golden_models(kind)) {
      if (on_gpu) {
        all.push_back({file, "cuda", DType::kFloat32, 1e-4});
        continue;
      }
      all.push_back({file, "reference", DType::kFloat32, 3e-5});
      all.push_back({file, "cpu", DType::kFloat32, 3e-5});
      all.push_back({file, "cpu", DType::kBFloat16, 1e-1});
    }
  }
  return all;
}

// Labels and noise of the file in one batch, guided on the first three channels by its scale.
inline PictureRequest samples_request(const GoldenFile& file) {
  const auto labels = file.read<std::int64_t>("/inputs/sample/labels");
  PictureRequest request;
  request.labels.assign(labels.begin(), labels.end());
  request.init_noise = file.read<float>("/inputs/sample/z");
  request.batch = static_cast<std::int64_t>(labels.size());
  request.guidance.scale = file.number("/inputs/sample", "cfg_scale");
  request.guidance.channels = {3};
  return request;
}

}  // namespace edt::test
