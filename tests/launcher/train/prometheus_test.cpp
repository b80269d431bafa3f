#include "launcher/train/prometheus.h"

#include <gmock/gmock-matchers.h>

#include <nlohmann/json.hpp>

#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt {
namespace {

TEST(Prometheus, OneGaugePerNumber) {
  const nlohmann::ordered_json record{{"step", 12},
                                      {"loss", 0.25},
                                      {"skipped", "loss"},
                                      {"time_share", {{"data", 0.5}, {"compute", 0.25}}},
                                      {"grad_norm", nullptr}};
  EXPECT_EQ(prometheus_text("runs/\"a\"", record),
            "# TYPE edt_step gauge\n"
            "edt_step{run=\"runs/\\\"a\\\"\"} 12\n"
            "# TYPE edt_loss gauge\n"
            "edt_loss{run=\"runs/\\\"a\\\"\"} 0.25\n"
            "# TYPE edt_time_share gauge\n"
            "edt_time_share{run=\"runs/\\\"a\\\"\",part=\"data\"} 0.5\n"
            "edt_time_share{run=\"runs/\\\"a\\\"\",part=\"compute\"} 0.25\n");
}

TEST(Prometheus, TheLastRecordIsThereAtTheEnd) {
  test::TempDir directory;
  const auto file = directory / "edt.prom";
  {
    PrometheusFile prometheus(file, "r");
    prometheus.write({{"step", 1}});
    prometheus.write({{"step", 2}});  // too soon after the first
    EXPECT_THAT(test::read_text(file), testing::HasSubstr("edt_step{run=\"r\"} 1\n"));
  }
  EXPECT_THAT(test::read_text(file), testing::HasSubstr("edt_step{run=\"r\"} 2\n"));
}

TEST(Prometheus, TrainingGoesOnWithoutTheFile) {
  test::TempDir directory;
  PrometheusFile prometheus(directory / "no" / "edt.prom", "r");
  EXPECT_NO_THROW(prometheus.write({{"step", 1}}));
}

}  // namespace
}  // namespace edt
