// Predictions of a trained model from a C++ program with threads: one set of parameters, and a
// context for each thread.
//
//   build/hcc build examples/regression.hc -o regression.so     (regression.h appears beside it)
//   c++ -std=c++11 -I. examples/embed/predict.cpp ./regression.so -pthread -o predict
//   ./predict runs/regression-1/ckpt/last/parameters.safetensors THREADS < patients.txt
//
// Reads patients, ten numbers each, and prints what is predicted of each, in order. "-" in place of
// the parameters takes those that a new model begins with.
#include "regression.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static const std::size_t features = 10;

// A context that is destroyed with its owner; statuses become exceptions.
class Model {
public:
    explicit Model(int64_t samples) {
        HcOptions options = {};
        HcContext *made = nullptr;
        HcError error;
        options.threads = 1; // the program has threads enough
        options.samples = samples;
        if (regression_create(&options, &made, &error) != HC_OK)
            throw std::runtime_error(error.message);
        context.reset(made);
    }
    void check(HcStatus status) const {
        if (status != HC_OK)
            throw std::runtime_error(regression_last_error(context.get()));
    }
    HcContext *get() const { return context.get(); }

    // Reads the parameters of another model, which must stay where it is.
    void share(const Model &other) {
        check(regression_bind_parameters(get(), regression_parameters(other.get()),
                                         regression_gradients(other.get())));
    }

    void predict(const float *patients, int64_t count, float *found) {
        HcView view;
        check(regression_resize(get(), count, regression_positions(get())));
        check(regression_set_input(get(), "patient", patients, count * (int64_t)features));
        check(regression_forward(get()));
        check(regression_output(get(), "found", &view)); // [count]
        std::copy_n(static_cast<const float *>(view.data), count, found);
    }

private:
    struct Destroy {
        void operator()(HcContext *c) const { regression_destroy(c); }
    };
    std::unique_ptr<HcContext, Destroy> context;
};

static std::vector<float> read_patients(std::istream &from) {
    std::vector<float> values;
    for (float value; from >> value;)
        values.push_back(value);
    if (!from.eof() || values.empty() || values.size() % features != 0)
        throw std::runtime_error("a patient has ten numbers");
    return values;
}

// Each thread takes so many patients in a row.
static std::vector<float> predict_all(const Model &trained, const std::vector<float> &patients,
                                      std::size_t threads) {
    const std::size_t count = patients.size() / features, each = (count + threads - 1) / threads;
    std::vector<float> found(count);
    std::vector<std::string> wrong(threads);
    std::vector<std::thread> workers;
    for (std::size_t k = 0; k * each < count; k++)
        workers.emplace_back([&, k] {
            const std::size_t begin = k * each, n = std::min(each, count - begin);
            try {
                Model mine((int64_t)n);
                mine.share(trained);
                mine.predict(&patients[begin * features], (int64_t)n, &found[begin]);
            } catch (const std::exception &error) {
                wrong[k] = error.what();
            }
        });
    for (std::thread &worker : workers)
        worker.join();
    for (const std::string &message : wrong)
        if (!message.empty())
            throw std::runtime_error(message);
    return found;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        std::cerr << "usage: predict PARAMETERS THREADS < PATIENTS\n";
        return 2;
    }
    try {
        regression_process_init();
        const Model trained(1);
        const std::string parameters = argv[1];
        trained.check(parameters == "-" ? regression_init(trained.get(), 1)
                                        : regression_load(trained.get(), parameters.c_str()));
        const std::size_t threads = std::strtoul(argv[2], nullptr, 10);
        for (float value : predict_all(trained, read_patients(std::cin), threads ? threads : 1))
            std::printf("%.9g\n", (double)value);
    } catch (const std::exception &error) {
        std::cerr << "predict: " << error.what() << "\n";
        return 1;
    }
    return 0;
}
