# ser for machines that run containers: not root, loops of the front end compiled, works on a read-only root file system.
#   docker build --tag ser .
#   docker run --rm --volume "$PWD:/work" --user "$(id -u):$(id -g)" ser predict talk.wav
# PyTorch's default wheels for Linux bring CUDA. For a smaller image without it, name the index of CPU wheels that PyTorch's
# installation page gives: --build-arg PIP_EXTRA_INDEX_URL=...
FROM python:3.11-slim AS build
ARG PIP_EXTRA_INDEX_URL=""
ARG EXTRAS="demo,encoders"
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY ser_pipeline ser_pipeline
RUN python -m venv /opt/ser \
    && /opt/ser/bin/pip install --no-cache-dir -c constraints.txt ".[${EXTRAS}]"

FROM python:3.11-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ffmpeg \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/ser /opt/ser
ENV PATH=/opt/ser/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    MPLCONFIGDIR=/tmp/matplotlib
RUN ser warm && useradd --create-home --uid 1000 ser
USER 1000
WORKDIR /work
ENTRYPOINT ["ser"]
CMD ["--help"]
