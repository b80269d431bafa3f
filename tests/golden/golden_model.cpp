#include "tests/golden/golden_model.h"

#include <algorithm>
#include <cmath>

#include "core/cpu/cpu_backend.h"
#include "core/cuda/cuda_backend.h"
#include "core/reference/reference_backend.h"
#include "model/edt/edt_model.h"

namespace edt::test {
namespace {

std::vector<std::int64_t> integers(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

EdtConfig edt_config(const GoldenFile& file) {
  EdtConfig config;
  config.mid_mask = file.number("/", "mid_mask") != 0;
  config.depths = integers(file.numbers("/", "stages_depth"));
  config.widths = integers(file.numbers("/", "dims"));
  config.heads = integers(file.numbers("/", "num_heads"));
  config.amm_blocks = integers(file.numbers("/", "amm_blocks"));
  return config;
}

ModelConfig of_kind(const std::string& kind, const GoldenFile& file) {
  if (kind == "edt") return edt_config(file);
  const auto number = [&](const char* name) {
    return static_cast<std::int64_t>(file.number("/", name));
  };
  if (kind == "dit" || kind == "sit" || kind.starts_with("sit+")) {
    DitConfig config;
    config.depth = number("depth");
    config.width = number("hidden_size");
    config.heads = number("num_heads");
    return config;
  }
  Mdtv2Config config;
  config.decoder_depth = number("decode_layer");
  config.encoder_depth = number("depth") - config.decoder_depth;
  config.width = number("hidden_size");
  config.heads = number("num_heads");
  return config;
}

}  // namespace

ModelConfig golden_config(const GoldenFile& file, FlowPath path) {
  const auto number = [&](const char* name) {
    return static_cast<std::int64_t>(file.number("/", name));
  };
  const std::string kind = golden_kind(file);
  ModelConfig config = of_kind(file.text("/", "model"), file);
  CommonConfig& common = config.common();
  const bool is_repa = kind.starts_with("sit+");  // which begins with REPA's SiT
  if (kind == "sit" || is_repa || kind.ends_with(" velocity")) {
    common.process = ProcessConfig::flow(path);
  }
  if (kind.ends_with(" dydit")) common.gates.target = file.number("/", "target_ratio");
  if (kind.ends_with(" ternary")) common.weights = {WeightForm::kTernary, true};
  if (is_repa) common.process.told = Told::kNoise;
  common.name = "golden";
  common.classes = number("num_classes");
  if (kind == "mdt_sequence") {
    common.latents = LatentShape::sequence(number("features"), number("length"));
    common.patch = 1;
    common.frame_channels = number("frame_condition");
    return config;
  }
  common.latents = LatentShape::square(number("input_size"));
  if (file.has_attribute("/", "in_channels")) common.latents.channels = number("in_channels");
  common.patch = number("patch_size");
  return config;
}

std::vector<float> golden_parameter(const GoldenFile& file, const std::string& name,
                                    const Shape& shape, std::int64_t channels) {
  const auto values = file.read<float>(name);
  if (static_cast<std::int64_t>(values.size()) != 2 * shape.elements()) return values;
  const std::int64_t run = channels * (shape.elements() / shape[0]);
  std::vector<float> kept;
  for (std::int64_t at = 0; at < 2 * shape.elements(); at += 2 * run) {
    kept.insert(kept.end(), values.begin() + at, values.begin() + at + run);
  }
  return kept;
}

GoldenModel::GoldenModel(const GoldenFile& file, const ModelConfig& config, Backend& backend,
                         DType dtype, TensorGroup ranks, const std::string& prefix)
    : backend_(backend),
      arena_(backend.memory()),
      config_(config),
      model_(make_model(config_, backend, dtype, ranks)),
      tape_(backend, arena_, profiler_, dtype) {
  load(file, 0, prefix);
}

void GoldenModel::load(const GoldenFile& file, std::size_t first, const std::string& prefix) {
  const DType dtype = tape_.dtype();
  for (std::size_t i = first; i < model_->parameters().all().size(); ++i) {
    Parameter& parameter = model_->parameters().all()[i];
    std::vector<float> values(static_cast<std::size_t>(parameter.shape.elements()));
    const TensorShard& part = model_->parameters().shards()[i];
    part.take(
        golden_parameter(file, prefix + parameter.name, part.logical, config_.latents().channels),
        values);
    parameter.value = tensor(values, parameter.shape, dtype);
    parameter.grad = allocate(parameter.shape, tape_.accurate_dtype());
  }
}

void GoldenModel::use_modulation() {
  auto* model = dynamic_cast<EdtModel*>(model_.get());
  if (model == nullptr) return;
  const EdtConfig& config = model->config();
  const bool follows_published_list = config.mid_mask && config.blocks() > 25;
  model->set_amm_blocks(follows_published_list ? std::vector<std::int64_t>{23, 25}
                                               : config.amm_blocks);
}

Tensor GoldenModel::allocate(const Shape& shape, DType dtype) {
  Tensor tensor{nullptr, shape, dtype};
  tensor.data = memory_.emplace_back(backend_.memory(), tensor.bytes()).data();
  return tensor;
}

Tensor GoldenModel::tensor(const std::vector<float>& values, const Shape& shape, DType dtype) {
  EDT_ASSERT(static_cast<std::int64_t>(values.size()) == shape.elements());
  const Tensor to = allocate(shape, dtype);
  backend_.upload_floats(values, to);
  return to;
}

Tensor GoldenModel::integers(const std::vector<std::int64_t>& values, const Shape& shape) {
  const Tensor to = allocate(shape, DType::kInt32);
  std::vector<std::int32_t> narrow(values.begin(), values.end());
  backend_.upload(narrow.data(), to);
  return to;
}

std::vector<float> GoldenModel::host(const Tensor& tensor) {
  std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
  // A device copies and converts within its own memory.
  const Block block(backend_.memory(), values.size() * sizeof(float));
  const Tensor accurate{block.data(), tensor.shape, DType::kFloat32};
  backend_.copy(tensor, accurate);
  backend_.download(accurate, values.data());
  return values;
}

std::unique_ptr<Backend> golden_backend(std::string_view name) {
  if (name == "cuda") return cuda_device_count() > 0 ? make_cuda_backend() : nullptr;
  return name == "cpu" ? make_cpu_backend() : make_reference_backend();
}

std::vector<std::int64_t> sampling_batches(std::string_view backend) {
  if (backend == "cuda") return {2};
  return {2, 1, 3};
}

double relative_error(const std::vector<float>& actual, const std::vector<float>& expected) {
  EDT_ASSERT(actual.size() == expected.size());
  double difference = 0, largest = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    difference = std::max(difference, std::fabs(double(actual[i]) - expected[i]));
    largest = std::max(largest, std::fabs(double(expected[i])));
  }
  return std::isfinite(difference) ? difference / std::max(largest, 1e-30) : INFINITY;
}

}  // namespace edt::test
