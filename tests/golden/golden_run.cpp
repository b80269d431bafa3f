#include "tests/golden/golden_run.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace edt::test {

GoldenRun::GoldenRun(const GoldenFile& file, const ModelConfig& config, Backend& backend,
                     DType dtype, TensorGroup ranks)
    : backend_(backend),
      golden_(file, config, backend, dtype, ranks),
      masked_(golden_.model().has_masked_pass() && file.has("/inputs/noise_masked")) {
  const Process& process = golden_.model().process();
  for (const double t : file.read<double>("/inputs/t")) {
    const bool is_data = process.config().told == Told::kData;
    times_.push_back(process.schedule() != nullptr ? t / process.steps() : is_data ? 1 - t : t);
    const PathPoint point = process.at(times_.back());
    told_.push_back(process.told(times_.back()));
    scales_.push_back(static_cast<float>(point.alpha));
    scales_.push_back(static_cast<float>(point.sigma));
  }
  // Of latents that are drawn from moments and normalised, what became of them.
  const std::string x_start =
      file.has("/inputs/x_start") ? "/inputs/x_start" : "/expected/normalised";
  for (std::int64_t dim : file.shape(x_start)) {
    if (image_.rank() == 2 && file.shape(x_start).size() == 3) image_.append(1);  // of a sequence
    image_.append(dim);
  }
  if (file.has("/inputs/frame_condition")) frames_ = file.read<float>("/inputs/frame_condition");
  x_start_ = file.read<float>(x_start);
  noise_ = file.read<float>("/inputs/noise");
  labels_ = file.read<std::int64_t>("/inputs/labels_after_drop");
  if (passes() == 1) return;
  const auto masked = file.read<float>("/inputs/noise_masked");
  noise_.insert(noise_.end(), masked.begin(), masked.end());
  const std::string own = "/inputs/labels_after_drop_masked";
  const auto labels = file.read<std::int64_t>(file.has(own) ? own : "/inputs/labels_after_drop");
  labels_.insert(labels_.end(), labels.begin(), labels.end());
  read_masks(file);
}

void GoldenRun::read_masks(const GoldenFile& file) {
  for (const MaskSpec& spec : golden_.model().masks()) {
    std::vector<float> keep(static_cast<std::size_t>(batch() * spec.tokens), 1.f);
    const auto masked = file.read<float>("/inputs/mask_keep/" + spec.name);
    keep.insert(keep.end(), masked.begin(), masked.end());
    masks_.keep.push_back(golden_.tensor(keep, {2 * batch(), spec.tokens}, DType::kFloat32));
  }
  if (const auto& spec = golden_.model().dropping()) {
    const auto ids = file.read<std::int64_t>("/inputs/ids_keep");
    const std::int64_t visible = file.shape("/inputs/ids_keep")[1];
    std::vector<std::int64_t> places(static_cast<std::size_t>(batch() * spec->tokens), -1);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      places[static_cast<std::size_t>(at / visible * spec->tokens + ids[i])] = at % visible;
    }
    masks_.visible = {golden_.integers(ids, {batch(), visible}),
                      golden_.integers(places, {batch(), spec->tokens}), golden_.model().patches()};
  }
}

std::vector<float> GoldenRun::repeated(const std::vector<float>& values) const {
  std::vector<float> all = values;
  if (passes() == 2) all.insert(all.end(), values.begin(), values.end());
  return all;
}

Tensor GoldenRun::frames(std::int64_t passes) {
  if (frames_.empty()) return {};
  std::vector<float> all;
  for (std::int64_t p = 0; p < passes; ++p) all.insert(all.end(), frames_.begin(), frames_.end());
  const Model& model = golden_.model();
  return golden_.tensor(all, {passes * batch(), model.patches().tokens(), model.frame_channels()},
                        DType::kFloat32);
}

Tensor GoldenRun::accurate(const std::vector<float>& values, Shape shape) {
  return golden_.tensor(values, shape, golden_.tape().accurate_dtype());
}

Var GoldenRun::loss(const Var& tokens, const LossInputs& inputs, const Tensor& mse,
                    const Tensor& vb) {
  Tape& tape = golden_.tape();
  const Process& process = golden_.model().process();
  if (process.config().learns_variance()) return diffusion_loss(tape, tokens, inputs, mse, vb);
  std::vector<float> mix;
  for (const double t : times_) {
    const auto [of_origin, of_noise] = process.target(t);
    mix.push_back(static_cast<float>(of_origin));
    mix.push_back(static_cast<float>(of_noise));
  }
  const std::int64_t rows = passes() * batch();
  const Var target = tape.make(tokens.shape(), tape.accurate_dtype());
  backend_.noise_target(inputs.x_start, inputs.noise, accurate(repeated(mix), {rows, 2}),
                        inputs.patch, target.tensor());
  return token_loss(tape, tokens, {target, inputs.sample_weights, inputs.sample_weights}, mse);
}

ObjectiveConfig GoldenRun::objective() const { return {.masked = passes() == 2}; }

void GoldenRun::add_companions(const GoldenFile& file, const AuxiliaryConfig& auxiliary,
                               const std::string& prefix) {
  const std::size_t first = golden_.model().parameters().all().size();
  const ModelPlace place{backend_, golden_.tape().dtype(),
                         golden_.model().parameters().tensor_ranks()};
  companions_ = make_companions(auxiliary, golden_.config(), objective(), place, golden_.model());
  golden_.load(file, first, prefix);
  for (std::size_t i = 0; i < auxiliary.arrays(golden_.config()).size(); ++i) {
    arrays_.push_back(file.read<float>("/inputs/features/" + std::to_string(i)));
  }
}

void GoldenRun::fill(InputBuffers& inputs) {
  const std::vector<float> weights(times_.size(), 1.f);
  std::vector<std::int32_t> positions(times_.size());
  std::iota(positions.begin(), positions.end(), 0);
  for (const auto& one : companions_) one->add_inputs(inputs, batch(), passes());
  if (companions_.empty()) return;
  const std::vector<std::span<const float>> arrays(arrays_.begin(), arrays_.end());
  inputs.begin();
  for (const auto& one : companions_) {
    one->fill({}, {x_start_, {}, positions, times_, weights, arrays}, inputs);
  }
  inputs.send();
}

GoldenStep GoldenRun::step(double denoising) {
  Tape& tape = golden_.tape();
  const Process& process = golden_.model().process();
  const std::int64_t rows = passes() * batch();
  const Shape image{rows, image_[1], image_[2], image_[3]};

  LossInputs inputs;
  inputs.patch = golden_.model().patch();
  inputs.x_start = accurate(repeated(x_start_), image);
  inputs.noise = accurate(noise_, image);
  inputs.x_t = accurate(std::vector<float>(static_cast<std::size_t>(image.elements())), image);
  backend_.add_noise(inputs.x_start, inputs.noise, accurate(repeated(scales_), {rows, 2}),
                     inputs.x_t);
  inputs.sample_weights = accurate(std::vector<float>(static_cast<std::size_t>(rows), 1.f), {rows});
  if (process.config().learns_variance()) {
    std::vector<std::int32_t> steps;
    for (const double t : times_) steps.push_back(process.step(t));
    std::vector<float> coefficients(steps.size() * LossCoefficient::kCount);
    process.schedule()->loss_coefficients(steps, 5, coefficients);
    inputs.coefficients = accurate(repeated(coefficients), {rows, LossCoefficient::kCount});
  }
  const std::vector<float> zeros(static_cast<std::size_t>(rows));
  const Tensor mse = accurate(zeros, {rows}), vb = accurate(zeros, {rows});
  std::vector<std::int64_t> blocks;
  for (const auto& one : companions_) {
    for (const std::int64_t after : one->taps()) blocks.push_back(after);
  }
  Taps taps(blocks);
  InputBuffers buffers(backend_);
  fill(buffers);
  const ModelInputs seen{inputs.x_t,
                         accurate(repeated(told_), {rows}),
                         golden_.integers(labels_, {rows}),
                         PassHooks{.taps = &taps},
                         {},
                         frames(passes())};
  StepView view{batch(), {inputs.x_start, inputs.x_t, inputs.noise, inputs.sample_weights},
                seen.t,  seen.labels,
                buffers, taps};
  GoldenStep step;
  {
    Model& model = golden_.model();
    const Var tokens =
        passes() == 2 ? model.forward_passes(tape, seen, masks_) : model.forward(tape, seen);
    const Var total = loss(tokens, inputs, mse, vb);
    // The mean over all rows is half the sum of the passes' means.
    const auto seed = [&](const Var& mean, double weight) {
      step.loss += weight * golden_.host(mean.tensor())[0];
      backend_.fill(tape.target(mean.grad()).tensor, weight);
    };
    std::vector<Var> means;
    for (const auto& one : companions_) {
      const auto terms = static_cast<std::int64_t>(one->terms().size());
      const Tensor losses =
          accurate(std::vector<float>(static_cast<std::size_t>(terms * rows)), {terms, rows});
      view.output = tokens;
      means = (*one)(tape, view, losses);
      const double share = static_cast<double>(one->rows()) / static_cast<double>(batch());
      for (std::size_t i = 0; i < means.size(); ++i) {
        seed(means[i], share * one->terms()[i].weight);
        step.beside.push_back(golden_.host(
            losses.slice(static_cast<std::int64_t>(i), static_cast<std::int64_t>(i) + 1)));
      }
    }
    seed(total, denoising * static_cast<double>(passes()));
    view.output = {};
    taps.clear();
    tape.backward();
  }
  tape.clear();
  const auto rows_of = [&](const Tensor& values, std::int64_t pass) {
    return golden_.host(values.slice(pass * batch(), (pass + 1) * batch()));
  };
  step.full = {rows_of(mse, 0), rows_of(vb, 0)};
  if (passes() == 2) step.masked = GoldenPass{rows_of(mse, 1), rows_of(vb, 1)};
  step.x_t = rows_of(inputs.x_t, 0);
  return step;
}

std::vector<float> GoldenRun::output(std::vector<std::int64_t> labels) {
  Tape& tape = golden_.tape();
  const Tape::NoGrad inference(tape);
  const Tensor x_start = accurate(x_start_, image_), x_t = accurate(x_start_, image_);
  const std::vector<float> noise(noise_.begin(),
                                 noise_.begin() + static_cast<std::ptrdiff_t>(x_start_.size()));
  backend_.add_noise(x_start, accurate(noise, image_), accurate(scales_, {batch(), 2}), x_t);
  const std::int64_t outputs = golden_.config().common().process.out_channels(image_[1]);
  const Shape shape{image_[0], outputs, image_[2], image_[3]};
  const Tensor out =
      accurate(std::vector<float>(static_cast<std::size_t>(shape.elements())), shape);
  {
    if (labels.empty()) labels.assign(labels_.begin(), labels_.begin() + batch());
    const ModelInputs inputs{
        x_t, accurate(told_, {batch()}), golden_.integers(labels, {batch()}), {}, {}, frames(1)};
    const Var tokens = golden_.model().forward(tape, inputs);
    backend_.unpatchify(tokens.tensor(), golden_.model().patch(), out);
  }
  tape.clear();
  return golden_.host(out);
}

}  // namespace edt::test
