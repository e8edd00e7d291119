//! What do the peers with hyper answer? The same, so that only who runs it differs.

use std::convert::Infallible;

use ::hyper::body::{Bytes, Incoming};
use ::hyper::header::{CONTENT_TYPE, HeaderValue};
use ::hyper::{Request, Response};
use http_body_util::Full;

use crate::shape::HTTP_BODY;

/// The service of `http_keepalive`.
pub(super) async fn answer(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::new(Bytes::from_static(HTTP_BODY.as_bytes())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}
