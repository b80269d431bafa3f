#include "tests/golden/golden_run.h"

#include "model/diffusion/schedule.h"

namespace edt::test {

GoldenRun::GoldenRun(const GoldenFile& file, Backend& backend, DType dtype, TensorGroup ranks)
    : backend_(backend), golden_(file, backend, dtype, ranks) {
  const auto t = file.read<std::int64_t>("/inputs/t");
  timesteps_.assign(t.begin(), t.end());
  x_start_ = read(file, "/inputs/x_start");
  noise_ = read(file, "/inputs/noise");
  noise_masked_ = read(file, "/inputs/noise_masked");
  x_t_ = read(file, "/expected/x_t");
  t_ = read(file, "/inputs/t");
  labels_ = golden_.labels(file.read<std::int64_t>("/inputs/labels_after_drop"));
  for (const MaskSpec& spec : golden_.model().masks()) {
    const std::string name = "/inputs/mask_keep/" + spec.name;
    masks_.push_back(golden_.tensor(file.read<float>(name), {file.shape(name)[0], spec.tokens},
                                    DType::kFloat32));
  }
}

Tensor GoldenRun::read(const GoldenFile& file, const std::string& name) {
  Shape shape;
  for (std::int64_t dim : file.shape(name)) shape.append(dim);
  return golden_.tensor(file.read<float>(name), shape, golden_.tape().accurate_dtype());
}

GoldenPass GoldenRun::run(const Tensor& noise, const std::vector<Tensor>& masks) {
  Tape& tape = golden_.tape();
  const DType accurate = tape.accurate_dtype();
  const DiffusionSchedule schedule;
  const auto batch = static_cast<std::int64_t>(timesteps_.size());
  std::vector<float> zeros(timesteps_.size()), scales(timesteps_.size() * 2),
      coefficients(timesteps_.size() * LossCoefficient::kCount);
  schedule.noise_scales(timesteps_, scales);
  schedule.loss_coefficients(timesteps_, 5, coefficients);
  LossInputs loss;
  loss.x_start = x_start_;
  loss.noise = noise;
  loss.x_t = golden_.tensor(std::vector<float>(static_cast<std::size_t>(x_start_.elements())),
                            x_start_.shape, accurate);
  backend_.add_noise(loss.x_start, loss.noise, golden_.tensor(scales, {batch, 2}, accurate),
                     loss.x_t);
  loss.coefficients = golden_.tensor(coefficients, {batch, LossCoefficient::kCount}, accurate);
  loss.sample_weights =
      golden_.tensor(std::vector<float>(timesteps_.size(), 1.f), {batch}, accurate);
  const Tensor mse = golden_.tensor(zeros, {batch}, accurate);
  const Tensor vb = golden_.tensor(zeros, {batch}, accurate);
  GoldenPass pass;
  {
    const Var tokens = golden_.model().forward(tape, {loss.x_t, t_, labels_}, masks);
    const Var total = diffusion_loss(tape, tokens, loss, mse, vb);
    pass.mean = golden_.host(total.tensor())[0];
    tape.backward(total);
  }
  tape.clear();
  pass.mse = golden_.host(mse);
  pass.vb = golden_.host(vb);
  pass.x_t = golden_.host(loss.x_t);
  return pass;
}

std::vector<float> GoldenRun::output() {
  Tape& tape = golden_.tape();
  const Tape::NoGrad inference(tape);
  const Shape& image = x_t_.shape;
  const Tensor out =
      golden_.tensor(std::vector<float>(static_cast<std::size_t>(2 * x_t_.elements())),
                     {image[0], 2 * image[1], image[2], image[3]}, tape.accurate_dtype());
  {
    const Var tokens = golden_.model().forward(tape, {x_t_, t_, labels_});
    backend_.unpatchify(tokens.tensor(), golden_.model().patch(), out);
  }
  tape.clear();
  return golden_.host(out);
}

}  // namespace edt::test
