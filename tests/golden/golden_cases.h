// Where golden values are computed, and how near they have to come: the reference and the processor
// in float32, and bf16, which keeps 8 bits of every activation. Reasons stand in models_test.cpp.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "core/cuda/cuda_backend.h"
#include "tests/golden/golden_model.h"

namespace edt::test {

// A file of golden values, or the part of it that is of one path, place or kind.
struct GoldenPart {
  std::string file;
  std::string part = "";  // as the file names it; empty: all of it, and no name
};

struct GoldenCase {
  std::string file, part;
  const char* backend;
  DType dtype;
  double output_tolerance, gradient_tolerance;
};

inline void PrintTo(const GoldenCase& c, std::ostream* out) {
  *out << c.file << " " << c.part << " on " << c.backend << " in " << name_of(c.dtype);
}

inline std::vector<GoldenCase> golden_cases(const std::vector<GoldenPart>& parts,
                                            const std::vector<std::pair<const char*, DType>>& on) {
  std::vector<GoldenCase> all;
  for (const auto& [backend, dtype] : on) {
    const bool is_float = dtype != DType::kBFloat16;
    for (const GoldenPart& one : parts) {
      all.push_back(
          {one.file, one.part, backend, dtype, is_float ? 1e-5 : 3e-2, is_float ? 1e-4 : 1e-1});
    }
  }
  return all;
}
inline std::vector<GoldenCase> on_host(const std::vector<GoldenPart>& parts) {
  return golden_cases(
      parts, {{"reference", DType::kFloat32}, {"cpu", DType::kFloat32}, {"cpu", DType::kBFloat16}});
}
inline std::vector<GoldenCase> on_gpu(const std::vector<GoldenPart>& parts) {
  return golden_cases(parts, {{"cuda", DType::kFloat32}, {"cuda", DType::kBFloat16}});
}
// Of layers by themselves, of every file of a kind: on the host in float64, too.
inline std::vector<GoldenPart> files_of(const std::string& kind) {
  std::vector<GoldenPart> files;
  for (const std::string& file : golden_models(kind)) files.push_back({file});
  return files;
}
inline std::vector<GoldenCase> layers_on_host(const std::string& kind) {
  return golden_cases(files_of(kind), {{"reference", DType::kFloat64},
                                       {"reference", DType::kFloat32},
                                       {"cpu", DType::kFloat32},
                                       {"cpu", DType::kBFloat16}});
}
inline std::vector<GoldenCase> layers_on_gpu(const std::string& kind) {
  return on_gpu(files_of(kind));
}

// A test of one case: its file, and the backend that it asks for, without which it is skipped.
class GoldenTest : public testing::TestWithParam<GoldenCase> {
 protected:
  void SetUp() override {
    backend_ = golden_backend(GetParam().backend);
    if (backend_ == nullptr) GTEST_SKIP() << "no GPU: " << cuda_absence();
    begin();
  }
  // What a test needs besides, once there is a backend.
  virtual void begin() {}

  const std::string& part() const { return GetParam().part; }
  void expect_close(const std::vector<float>& actual, const std::string& name, double tolerance) {
    EXPECT_LE(relative_error(actual, file_.read<float>(name)), tolerance) << name;
  }

  std::unique_ptr<Backend> backend_;
  GoldenFile file_{GetParam().file};
};

}  // namespace edt::test
