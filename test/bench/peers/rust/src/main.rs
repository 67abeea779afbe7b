//! A worker as one would write it in Rust: lapin and ort on tokio, one thread, rows inferred in batches, confirms
//! pipelined: a task for each answer publishes it, awaits its confirm and acks its request.
//!
//! With `TUNED=1` it has been made fast as well: the answers of a batch are published together without tasks, and one
//! ack per burst of confirms replaces one per message.

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs, process};

use futures_util::future::{try_join_all, FutureExt};
use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::*;
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, PublisherConfirm};
use ort::session::Session;
use ort::value::TensorRef;
use serde::{Deserialize, Serialize};
use tokio::select;
use tokio::signal::unix::{signal, SignalKind};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::sleep_until;
use tokio_util::time::DelayQueue;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Deserialize)]
struct Payload {
    id: String,
    data: Vec<f32>,
}

struct Request {
    delivery: Delivery,
    payload: Payload,
    ready: Instant,
}

#[derive(Serialize)]
struct Answer<'a> {
    model_name: &'a str,
    model_version: &'a str,
    id: &'a str,
    outputs: [Output<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Parameters<'a>>,
}

#[derive(Serialize)]
struct Output<'a> {
    name: &'a str,
    shape: &'a [i64],
    datatype: &'a str,
    data: &'a [f32],
}

#[derive(Serialize)]
struct Parameters<'a> {
    label: [&'a str; 1],
    score: [f32; 1],
}

#[derive(Deserialize, Default)]
struct Settings {
    labels: Option<Vec<String>>,
    preprocess: Option<Preprocess>,
}

#[derive(Deserialize)]
struct Preprocess {
    scale: Option<f32>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let io_delay = Duration::from_millis(number("PREPROCESS_IO_DELAY_MS")?);
    let prefetch = number("PREFETCH")?;
    let max_size = number("BATCH_MAX_SIZE")? as usize;
    let max_wait = Duration::from_millis(number("BATCH_MAX_WAIT_MS")?);
    let tuned = env::var("TUNED").is_ok_and(|value| value == "1");

    let mut model = Model::load(env::var("DEFAULT_MODEL")?)?;
    let url = env::var("RABBITMQ_URL")?;
    let requests_connection = Connection::connect(&url, ConnectionProperties::default()).await?;
    let results_connection = Connection::connect(&url, ConnectionProperties::default()).await?;
    let requests = requests_connection.create_channel().await?;
    let results = results_connection.create_channel().await?;
    results.confirm_select(ConfirmSelectOptions::default()).await?;
    requests.basic_qos(prefetch as u16, BasicQosOptions::default()).await?;
    let queue = env::var("REQUEST_QUEUE")?;
    let options = BasicConsumeOptions::default();
    let mut consumer = requests.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await?;
    println!("consuming");

    let (published, confirms) = mpsc::unbounded_channel();
    if tuned {
        tokio::spawn(acknowledge_bursts(requests.clone(), confirms, prefetch));
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut on_their_way = DelayQueue::<Request>::new();
    let mut ready = VecDeque::<Request>::new();
    let (mut batches, mut rows) = (0, 0);

    loop {
        let due = ready.front().map_or_else(Instant::now, |oldest| oldest.ready + max_wait);
        let mut arrived = select! {
            _ = terminate.recv() => break,
            delivery = consumer.next() => Some(delivery),
            Some(request) = on_their_way.next() => { ready.push_back(now_ready(request.into_inner())); None }
            _ = sleep_until(due.into()), if !ready.is_empty() => None,
        };
        while let Some(delivery) = arrived {
            let delivery = delivery.ok_or("the broker cancelled the consumer")??;
            let payload: Payload = serde_json::from_slice(&delivery.data)?;
            if payload.data.len() != model.row_size {
                return Err(format!("{} numbers of data", payload.data.len()).into());
            }
            let request = Request { delivery, payload, ready: Instant::now() };
            if io_delay.is_zero() {
                ready.push_back(request);
            } else {
                on_their_way.insert(request, io_delay);
            }
            arrived = consumer.next().now_or_never();
        }
        while let Some(Some(request)) = on_their_way.next().now_or_never() {
            ready.push_back(now_ready(request.into_inner()));
        }
        // A batch that is not full waits only for requests that are on their way.
        while let Some(oldest) = ready.front() {
            if ready.len() < max_size && !on_their_way.is_empty() && oldest.ready.elapsed() < max_wait {
                break;
            }
            let batch: Vec<_> = ready.drain(..ready.len().min(max_size)).collect();
            batches += 1;
            rows += batch.len();
            let answers = model.run(&batch)?;
            if !tuned {
                for (request, body) in batch.into_iter().zip(answers) {
                    tokio::spawn(answer(results.clone(), request, body));
                }
                continue;
            }
            // `basic_publish` returns when the frames are written: together, so that they share the writes.
            let publishes = batch.iter().zip(&answers).map(|(request, body)| publish(&results, request, body));
            for (confirm, request) in try_join_all(publishes).await?.into_iter().zip(&batch) {
                published.send((request.delivery.delivery_tag, confirm))?;
            }
        }
    }
    println!("{{\"batches\":{batches},\"rows\":{rows}}}");
    process::exit(0)
}

fn now_ready(request: Request) -> Request {
    Request { ready: Instant::now(), ..request }
}

/// Publishes an answer, and acks its request when it is confirmed.
async fn answer(results: Channel, request: Request, body: Vec<u8>) {
    let confirm = publish(&results, &request, &body).await.expect("an open channel");
    check_taken(confirm.await);
    request.delivery.ack(BasicAckOptions::default()).await.expect("an open channel");
}

async fn publish(results: &Channel, request: &Request, body: &[u8]) -> lapin::Result<PublisherConfirm> {
    let asked = &request.delivery.properties;
    let text = |value: &Option<ShortString>| value.clone().unwrap_or_default();
    let properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(2)
        .with_type("inference.result".into())
        .with_correlation_id(text(asked.correlation_id()))
        .with_message_id(format!("{}.answer", text(asked.message_id())).into());
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    results.basic_publish("".into(), text(asked.reply_to()), options, body, properties).await
}

fn check_taken(confirmation: lapin::Result<Confirmation>) {
    // A returned answer is confirmed too, and comes along with its confirm.
    assert!(matches!(confirmation, Ok(Confirmation::Ack(None))), "not taken: {confirmation:?}");
}

/// Acks all requests up to the first that is not yet settled, once per burst of confirms.
async fn acknowledge_bursts(
    requests: Channel,
    mut confirms: UnboundedReceiver<(u64, PublisherConfirm)>,
    prefetch: u64,
) {
    let mut settled = vec![false; prefetch as usize]; // at most this many tags in a row are in hand
    let (mut next, mut acked) = (1, 0);
    while let Some((tag, mut confirm)) = confirms.recv().await {
        let confirmation = match (&mut confirm).now_or_never() {
            Some(confirmation) => confirmation,
            None => {
                acked = ack(&requests, acked, next - 1).await;
                confirm.await
            }
        };
        check_taken(confirmation);
        settled[(tag % prefetch) as usize] = true;
        while std::mem::take(&mut settled[(next % prefetch) as usize]) {
            next += 1;
        }
        if confirms.is_empty() {
            acked = ack(&requests, acked, next - 1).await;
        }
    }
}

async fn ack(requests: &Channel, acked: u64, settled: u64) -> u64 {
    if settled > acked {
        requests.basic_ack(settled, BasicAckOptions { multiple: true }).await.expect("an open channel");
    }
    settled
}

struct Model {
    name: String,
    session: Session,
    row_shape: Vec<i64>,
    row_size: usize,
    labels: Option<Vec<String>>,
    scale: f32,
    input: Vec<f32>,
}

impl Model {
    fn load(name: String) -> Result<Self> {
        let folder = Path::new(&env::var("MODELS_DIR")?).join(&name);
        let environment = ort::init().with_telemetry(false).build()?;
        let session = Session::builder(&environment)?
            .with_intra_threads(1)?
            .with_inter_threads(1)?
            .commit_from_file(folder.join("model.onnx"))?;
        let settings: Settings = match fs::read(folder.join("model.json")) {
            Ok(text) => serde_json::from_slice(&text)?,
            Err(_) => Settings::default(),
        };
        let row_shape = session.inputs()[0].dtype().tensor_shape().ok_or("not a tensor")?[1..].to_vec();
        Ok(Model {
            name,
            session,
            row_size: row_shape.iter().product::<i64>() as usize,
            row_shape,
            labels: settings.labels,
            scale: settings.preprocess.and_then(|it| it.scale).unwrap_or(1.0),
            input: Vec::new(),
        })
    }

    fn run(&mut self, batch: &[Request]) -> Result<Vec<Vec<u8>>> {
        self.input.clear();
        for request in batch {
            self.input.extend(request.payload.data.iter().map(|value| value * self.scale));
        }
        let shape = [&[batch.len() as i64], &self.row_shape[..]].concat();
        let name = self.session.outputs()[0].name().to_owned();
        let input = TensorRef::from_array_view((shape, &self.input[..]))?;
        let outputs = self.session.run(ort::inputs![input])?;
        let (shape, data) = outputs[0].try_extract_tensor::<f32>()?;
        let shape = [&[1], &shape[1..]].concat();
        let answer = |(request, row): (&Request, &[f32])| {
            let parameters = self.labels.as_ref().map(|labels| {
                let best = (1..row.len()).fold(0, |best, at| if row[at] > row[best] { at } else { best });
                Parameters { label: [&labels[best]], score: [row[best]] }
            });
            serde_json::to_vec(&Answer {
                model_name: &self.name,
                model_version: "1",
                id: &request.payload.id,
                outputs: [Output { name: &name, shape: &shape, datatype: "FP32", data: row }],
                parameters,
            })
        };
        Ok(batch
            .iter()
            .zip(data.chunks(data.len() / batch.len()))
            .map(answer)
            .collect::<std::result::Result<_, _>>()?)
    }
}

fn number(name: &str) -> Result<u64> {
    Ok(env::var(name)?.parse()?)
}
