// A small model with the published implementation's weights, on any backend, as a whole or as the
// part of one tensor rank.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/ops/backend.h"
#include "model/families/model_config.h"
#include "tests/golden/golden_file.h"

namespace edt::test {

// `path`: of a model of a flow.
ModelConfig golden_config(const GoldenFile& file, FlowPath path = FlowPath::kLinear);

// A data set for a parameter of that shape. Where the file's network gives a variance besides,
// which ours does not, its last layer has twice the rows: for each `channels` those behind are left
// out.
std::vector<float> golden_parameter(const GoldenFile& file, const std::string& name,
                                    const Shape& shape, std::int64_t channels);

// Model, tape and parameter memory for one test.
class GoldenModel {
 public:
  // With the parameters whose names in the file begin with `prefix`.
  GoldenModel(const GoldenFile& file, const ModelConfig& config, Backend& backend, DType dtype,
              TensorGroup ranks = {}, const std::string& prefix = "/params/");
  GoldenModel(const GoldenFile& file, Backend& backend, DType dtype, TensorGroup ranks = {})
      : GoldenModel(file, golden_config(file), backend, dtype, ranks) {}

  // The values of the parameters from `first` on, which a companion has added.
  void load(const GoldenFile& file, std::size_t first, const std::string& prefix);

  Backend& backend() { return backend_; }
  Model& model() { return *model_; }
  const Model& model() const { return *model_; }
  const ModelConfig& config() const { return config_; }
  Tape& tape() { return tape_; }
  // Turns on the modulation matrix of an EDT in the blocks in which the expected values use it. The
  // published XL places it by a fixed list, whatever the depths, so a model with the mid mask is
  // computed with blocks 23 and 25 even where its attribute, relative to the last stage, says
  // otherwise.
  void use_modulation();
  // Device memory that holds `values`, kept as long as this object.
  Tensor tensor(const std::vector<float>& values, const Shape& shape, DType dtype);
  Tensor integers(const std::vector<std::int64_t>& values, const Shape& shape);
  std::vector<float> host(const Tensor& tensor);

 private:
  Tensor allocate(const Shape& shape, DType dtype);

  Backend& backend_;
  Arena arena_;
  Profiler profiler_;
  ModelConfig config_;
  std::unique_ptr<Model> model_;
  Tape tape_;
  std::vector<Block> memory_;
};

// "cpu", "reference" or "cuda"; nullptr: there is no GPU.
std::unique_ptr<Backend> golden_backend(std::string_view name);

// How many pictures are sampled at once, one number after another. A single number on a GPU, which
// is mostly an emulated one: whether rows of a batch depend on each other is for its op cases.
std::vector<std::int64_t> sampling_batches(std::string_view backend);

// max |a - b| / max |b|
double relative_error(const std::vector<float>& actual, const std::vector<float>& expected);

}  // namespace edt::test
