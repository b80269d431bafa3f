// Self-alignment with the moving average, and two times in one picture, against values of the
// published code. Tolerances as in models_test.cpp. Its cosine runs over tokens, as published;
// what is compared are smooth-L1 and the cosine over channels, which the files have besides.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "model/auxiliary/teacher_alignment.h"
#include "tests/golden/golden_cases.h"

namespace edt::test {
namespace {

// All values are there.
class Resident final : public ParameterOwner {
 public:
  void before_read(Parameter&) override {}
  bool is_resident(const Parameter&) const override { return true; }
  void before_write(Parameter&) override { FAIL() << "nothing is trained there"; }
  void gradient_final(Parameter&) override { FAIL() << "nothing is trained there"; }
};

class TeacherGolden : public GoldenTest {
 protected:
  void begin() override {
    student_.emplace(file_, golden_config(file_), *backend_, GetParam().dtype);
    grouped_ = file_.has_attribute("/", "group0_share");
    batch_ = file_.shape("/inputs/x_start")[0];
    read_times();
  }

  std::int64_t passes() const { return grouped_ ? 2 : 1; }
  std::int64_t rows() const { return passes() * batch_; }
  const Process& process() const { return student_->model().process(); }

  void read_times() {
    times_ = file_.read<double>("/inputs/t");
    const auto uniform = file_.read<double>("/inputs/teacher_uniform");
    for (std::size_t i = 0; i < times_.size(); ++i) {
      teacher_times_.push_back(
          teacher_time(process(), times_[i], file_.number("/", "t_max"), uniform[i]));
    }
  }

  ObjectiveConfig objective() const {
    return {.masked = false,
            .loss = {.snr_gamma = 0},
            .dual_time = grouped_ ? file_.number("/", "group0_share") : 0};
  }

  std::unique_ptr<TeacherAlignment> alignment(Distance distance) {
    auto model = make_model(student_->config(), *backend_, GetParam().dtype);
    for (Parameter& parameter : model->parameters().all()) {
      parameter.value = student_->tensor(file_.read<float>("/teacher/" + parameter.name),
                                         parameter.shape, GetParam().dtype);
    }
    auto teacher = std::make_shared<Teacher>(std::move(model));
    teacher->attach(student_->tape(), resident_);
    TeacherAlignmentConfig config{.distance = distance};
    config.after = static_cast<std::int64_t>(file_.number("/", "block_out_s"));
    config.teacher_after = static_cast<std::int64_t>(file_.number("/", "block_out_t"));
    const std::size_t first = student_->model().parameters().all().size();
    auto made = std::make_unique<TeacherAlignment>(config, student_->config(), objective(),
                                                   student_->model(), teacher);
    student_->load(file_, first, "/params/");
    return made;
  }

  // Ids and places of the tokens of each group.
  void make_groups() {
    if (!grouped_) return;
    const auto group = file_.read<std::int64_t>("/inputs/group");
    const TokenGrid grid = student_->model().patches();
    for (std::int64_t g = 0; g < 2; ++g) {
      std::vector<std::int64_t> ids, places(group.size(), -1);
      for (std::size_t i = 0; i < group.size(); ++i) {
        if (group[i] != g) continue;
        const auto token = static_cast<std::int64_t>(i) % grid.tokens();
        const auto row = static_cast<std::int64_t>(i) / grid.tokens();
        const std::int64_t before = static_cast<std::int64_t>(ids.size()) - row * kept(g);
        places[i] = before;
        ids.push_back(token);
      }
      groups_.push_back({student_->integers(ids, {batch_, kept(g)}),
                         student_->integers(places, {batch_, grid.tokens()}), grid});
      ids_.push_back(std::move(ids));
    }
  }
  std::int64_t kept(std::int64_t group) const {
    const auto sizes = group_sizes(student_->model().patches().tokens(), objective().dual_time);
    return sizes[static_cast<std::size_t>(group)];
  }

  // Of values [B, T, width], those of a group's tokens.
  std::vector<float> of_group(const std::vector<float>& all, std::size_t g) const {
    if (!grouped_) return all;
    const auto tokens = static_cast<std::size_t>(student_->model().patches().tokens());
    const std::size_t width = all.size() / tokens / static_cast<std::size_t>(batch_);
    std::vector<float> part;
    for (std::size_t i = 0; i < ids_[g].size(); ++i) {
      const std::size_t row = i / static_cast<std::size_t>(kept(static_cast<std::int64_t>(g)));
      const auto at =
          all.begin() + static_cast<std::ptrdiff_t>(
                            (row * tokens + static_cast<std::size_t>(ids_[g][i])) * width);
      part.insert(part.end(), at, at + static_cast<std::ptrdiff_t>(width));
    }
    return part;
  }

  template <class T>
  std::vector<T> twice(std::vector<T> values) const {
    const std::vector<T> once = values;
    if (grouped_) values.insert(values.end(), once.begin(), once.end());
    return values;
  }
  Tensor accurate(const std::vector<float>& values, const Shape& shape) {
    return student_->tensor(values, shape, student_->tape().accurate_dtype());
  }

  struct Result {
    std::vector<float> denoising;  // by picture
    double align = 0, total = 0;
  };

  // One step of the real classes on the inputs of the file.
  Result step(TeacherAlignment& companion, double weight) {
    InputBuffers inputs(*backend_);
    const auto loss = make_denoising_loss(student_->model(), objective().loss, inputs, rows());
    companion.add_inputs(inputs, batch_, passes());
    const auto size = static_cast<std::size_t>(batch_);
    inputs.begin();
    std::vector<float> told, scales;
    for (std::size_t p = 0; p < static_cast<std::size_t>(passes()); ++p) {
      const auto times = std::span(times_).subspan(p * size, size);
      const double tokens = static_cast<double>(student_->model().patches().tokens());
      const double share =
          grouped_ ? static_cast<double>(kept(static_cast<std::int64_t>(p))) / tokens : 1;
      loss->fill(inputs, p * size, times, share);
      for (const double t : times) {
        const PathPoint point = process().at(t);
        told.push_back(process().told(t));
        scales.push_back(static_cast<float>(point.alpha));
        scales.push_back(static_cast<float>(point.sigma));
      }
    }
    const auto labels = file_.read<std::int64_t>("/inputs/labels");
    const std::vector<std::int32_t> narrow(labels.begin(), labels.end());
    companion.set(inputs, teacher_times_, narrow, std::vector<float>(size, 1.f));
    inputs.send();

    Shape image;
    for (const std::int64_t dim : file_.shape("/inputs/x_start")) image.append(dim);
    const Shape all{rows(), image[1], image[2], image[3]};
    const auto x_start = twice(file_.read<float>("/inputs/x_start"));
    NoisedImages images{
        accurate(x_start, all), accurate(x_start, all),
        accurate(twice(file_.read<float>("/inputs/noise")), all),
        accurate(std::vector<float>(static_cast<std::size_t>(rows()), 1.f), {rows()})};
    backend_->add_noise(images.x_start, images.noise, accurate(scales, {rows(), 2}), images.x_t);
    const auto dropped = twice(file_.read<std::int64_t>("/inputs/labels_after_drop"));
    Taps taps(companion.taps());
    StepView view{batch_, images, accurate(told, {rows()}), student_->integers(dropped, {rows()}),
                  inputs, taps};
    view.groups = groups_;
    companion.before(student_->tape(), view);
    for (std::size_t g = 0; g < static_cast<std::size_t>(passes()); ++g) {
      EXPECT_LE(relative_error(student_->host(companion.targets()[g].tensor()),
                               of_group(file_.read<float>("/expected/teacher_features"), g)),
                GetParam().output_tolerance);
    }
    return forward_and_back(companion, *loss, view, inputs, taps, weight);
  }

  Result forward_and_back(TeacherAlignment& companion, const DenoisingLoss& loss, StepView& view,
                          InputBuffers& inputs, Taps& taps, double weight) {
    Tape& tape = student_->tape();
    const ModelInputs seen{view.images.x_t, view.t, view.labels, PassHooks{.taps = &taps}};
    const std::vector<float> zeros(static_cast<std::size_t>(rows()));
    const Tensor losses = accurate(zeros, {1, rows()}), beside = accurate(zeros, {1, rows()});
    Result result;
    {
      std::vector<Var> means, outputs;
      if (grouped_) {
        outputs = student_->model().forward_groups(tape, seen, view.groups);
        for (std::size_t g = 0; g < outputs.size(); ++g) {
          means.push_back(loss.of_group(tape, outputs[g], view.groups[g],
                                        static_cast<std::int64_t>(g) * batch_, inputs, view.images,
                                        losses)[0]);
        }
      } else {
        outputs = {student_->model().forward(tape, seen)};
        means = loss(tape, outputs[0], inputs, view.images, losses);
      }
      check_outputs(outputs, taps, companion);
      const std::size_t own = means.size();
      for (Var& mean : companion(tape, view, beside)) means.push_back(std::move(mean));
      for (std::size_t i = 0; i < means.size(); ++i) {
        const bool last = i >= own;
        const double value = student_->host(means[i].tensor())[0];
        (last ? result.align : result.total) += value;
        backend_->fill(tape.target(means[i].grad()).tensor, last ? weight : 1);
      }
      outputs.clear();
      taps.clear();
      tape.backward();
    }
    companion.after();
    companion.teacher()->clear();
    tape.clear();
    result.total += weight * result.align;
    result.denoising = student_->host(losses.slice(0, 1));
    for (std::size_t i = static_cast<std::size_t>(batch_); i < result.denoising.size(); ++i) {
      result.denoising[i - static_cast<std::size_t>(batch_)] += result.denoising[i];
    }
    result.denoising.resize(static_cast<std::size_t>(batch_));
    return result;
  }

  void check_outputs(const std::vector<Var>& outputs, const Taps& taps,
                     const TeacherAlignment& companion) {
    Tape& tape = student_->tape();
    const double tolerance = GetParam().output_tolerance;
    for (std::size_t g = 0; g < outputs.size(); ++g) {
      if (grouped_) {
        EXPECT_LE(relative_error(student_->host(outputs[g].tensor()),
                                 of_group(file_.read<float>("/expected/output_tokens"), g)),
                  tolerance);
      }
      const Tape::NoGrad inference(tape);
      const Var head = companion.predict(
          tape, taps.from(companion.taps()[0], static_cast<std::int64_t>(g) * batch_));
      EXPECT_LE(relative_error(student_->host(head.tensor()),
                               of_group(file_.read<float>("/expected/student_features"), g)),
                tolerance);
    }
  }

  void expect_gradients(const std::string& group) {
    std::size_t count = 0;
    for (const Parameter& parameter : student_->model().parameters().all()) {
      if (!file_.has(group + parameter.name)) continue;
      EXPECT_LE(
          relative_error(student_->host(parameter.grad), file_.read<float>(group + parameter.name)),
          GetParam().gradient_tolerance)
          << parameter.name;
      ++count;
    }
    EXPECT_EQ(count, file_.names(group.substr(0, group.size() - 1)).size());
  }

  Resident resident_;
  std::optional<GoldenModel> student_;
  bool grouped_ = false;
  std::int64_t batch_ = 0;
  std::vector<double> times_, teacher_times_;
  std::vector<VisibleTokens> groups_;
  std::vector<std::vector<std::int64_t>> ids_;
};

TEST_P(TeacherGolden, SeesLessNoise) {
  const auto expected = file_.read<double>("/expected/teacher_t");
  if (!grouped_) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR(teacher_times_[i], expected[i], 1e-6);
    }
    return;
  }
  const auto group = file_.read<std::int64_t>("/inputs/group");
  const std::size_t tokens = group.size() / static_cast<std::size_t>(batch_);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const std::size_t row = static_cast<std::size_t>(group[i] * batch_) + i / tokens;
    EXPECT_NEAR(teacher_times_[row], expected[i], 1e-6);
  }
}

TEST_P(TeacherGolden, LossesAndAllGradients) {
  make_groups();
  const auto companion = alignment(Distance::kSmoothL1);
  // Of groups the file has the gradients of the denoising loss alone.
  const Result result = step(*companion, grouped_ ? 0 : 0.2);
  const double tolerance = GetParam().output_tolerance;
  const std::string where = grouped_ ? "/expected/" : "/expected/sml1/";
  EXPECT_LE(relative_error(result.denoising, file_.read<float>(where + "denoising_loss")),
            tolerance);
  const std::string align = grouped_ ? "align_loss_smooth_l1" : "align_loss";
  EXPECT_NEAR(result.align / file_.read<double>(where + align)[0], 1, tolerance);
  if (!grouped_) {
    EXPECT_NEAR(result.total / file_.read<double>(where + "total_loss")[0], 1, tolerance);
  }
  expect_gradients(grouped_ ? "/grads_denoising_alone/" : "/grads/");
}

TEST_P(TeacherGolden, DirectionOfEachToken) {
  if (!grouped_) GTEST_SKIP() << "the file has the cosine over tokens alone";
  make_groups();
  const auto companion = alignment(Distance::kDirection);
  const double expected = file_.read<double>("/expected/align_loss_over_channels")[0];
  // As a distance, 1 - cosine; the file has what is minimised, which may be -cosine.
  const double align = step(*companion, 0.5).align;
  EXPECT_NEAR(align, expected < 0 ? 1 + expected : expected, GetParam().output_tolerance);
}

std::vector<GoldenPart> teacher_parts() {
  std::vector<GoldenPart> all;
  for (const char* kind : {"sit+sra", "sit+sra+dual-time"}) {
    for (const std::string& file : golden_models(kind)) all.push_back({file});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Models, TeacherGolden, testing::ValuesIn(on_host(teacher_parts())));
INSTANTIATE_TEST_SUITE_P(Cuda, TeacherGolden, testing::ValuesIn(on_gpu(teacher_parts())));

}  // namespace
}  // namespace edt::test
