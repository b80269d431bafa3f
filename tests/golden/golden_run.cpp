#include "tests/golden/golden_run.h"

#include <algorithm>
#include <cmath>

#include "model/diffusion/schedule.h"

namespace edt::test {

GoldenRun::GoldenRun(const GoldenFile& file, Backend& backend, DType dtype, TensorGroup ranks)
    : backend_(backend), golden_(file, backend, dtype, ranks) {
  const auto t = file.read<std::int64_t>("/inputs/t");
  timesteps_.assign(t.begin(), t.end());
  t_.assign(t.begin(), t.end());
  for (std::int64_t dim : file.shape("/inputs/x_start")) image_.append(dim);
  x_start_ = file.read<float>("/inputs/x_start");
  noise_ = file.read<float>("/inputs/noise");
  x_t_ = file.read<float>("/expected/x_t");
  labels_ = file.read<std::int64_t>("/inputs/labels_after_drop");
  if (passes() == 1) return;
  const auto masked = file.read<float>("/inputs/noise_masked");
  noise_.insert(noise_.end(), masked.begin(), masked.end());
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

Tensor GoldenRun::accurate(const std::vector<float>& values, Shape shape) {
  return golden_.tensor(values, shape, golden_.tape().accurate_dtype());
}

GoldenStep GoldenRun::step() {
  Tape& tape = golden_.tape();
  const DiffusionSchedule schedule;
  const std::int64_t rows = passes() * batch();
  const Shape image{rows, image_[1], image_[2], image_[3]};
  std::vector<float> scales(timesteps_.size() * 2),
      coefficients(timesteps_.size() * LossCoefficient::kCount);
  schedule.noise_scales(timesteps_, scales);
  schedule.loss_coefficients(timesteps_, 5, coefficients);
  std::vector<std::int64_t> labels = labels_;
  if (passes() == 2) labels.insert(labels.end(), labels_.begin(), labels_.end());

  LossInputs loss;
  loss.x_start = accurate(repeated(x_start_), image);
  loss.noise = accurate(noise_, image);
  loss.x_t = accurate(std::vector<float>(static_cast<std::size_t>(image.elements())), image);
  backend_.add_noise(loss.x_start, loss.noise, accurate(repeated(scales), {rows, 2}), loss.x_t);
  loss.coefficients = accurate(repeated(coefficients), {rows, LossCoefficient::kCount});
  loss.sample_weights = accurate(std::vector<float>(static_cast<std::size_t>(rows), 1.f), {rows});
  const std::vector<float> zeros(static_cast<std::size_t>(rows));
  const Tensor mse = accurate(zeros, {rows}), vb = accurate(zeros, {rows});
  const ModelInputs inputs{loss.x_t, accurate(repeated(t_), {rows}),
                           golden_.integers(labels, {rows})};
  GoldenStep step;
  {
    Model& model = golden_.model();
    const Var tokens =
        passes() == 2 ? model.forward_passes(tape, inputs, masks_) : model.forward(tape, inputs);
    const Var total = diffusion_loss(tape, tokens, loss, mse, vb);
    // The mean over all rows is half the sum of the passes' means.
    step.loss = static_cast<double>(passes()) * golden_.host(total.tensor())[0];
    tape.backward(total, static_cast<double>(passes()));
  }
  tape.clear();
  const auto rows_of = [&](const Tensor& values, std::int64_t pass) {
    return golden_.host(values.slice(pass * batch(), (pass + 1) * batch()));
  };
  step.full = {rows_of(mse, 0), rows_of(vb, 0)};
  if (passes() == 2) step.masked = GoldenPass{rows_of(mse, 1), rows_of(vb, 1)};
  step.x_t = rows_of(loss.x_t, 0);
  return step;
}

std::vector<float> GoldenRun::output() {
  Tape& tape = golden_.tape();
  const Tape::NoGrad inference(tape);
  const Tensor out = accurate(std::vector<float>(2 * x_t_.size()),
                              {image_[0], 2 * image_[1], image_[2], image_[3]});
  {
    const ModelInputs inputs{accurate(x_t_, image_), accurate(t_, {batch()}),
                             golden_.integers(labels_, {batch()})};
    const Var tokens = golden_.model().forward(tape, inputs);
    backend_.unpatchify(tokens.tensor(), golden_.model().patch(), out);
  }
  tape.clear();
  return golden_.host(out);
}

}  // namespace edt::test
