#[allow(clippy::unused_async)]
/// Draws a thumbnail.
#[cfg(feature = "images")]
#[tracing::instrument]
pub(crate) async fn thumbnail(
    image_id: i64,
    ctx: JobContext,
    mut width: Option<u32>,
    store: State<Store>,
) -> Result<Thumbnail, ImageError> {
    store.draw(image_id, width.take(), ctx.attempt()).await
}
#[cfg(feature = "images")]
///The ways to enqueue the job `thumbnail` and to wait for it.
///
/// Draws a thumbnail.
#[allow(
    dead_code,
    deprecated,
    missing_copy_implementations,
    missing_debug_implementations,
    non_camel_case_types,
    private_interfaces,
    unnameable_types,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic
)]
pub(crate) struct thumbnail {}
#[cfg(feature = "images")]
#[allow(
    dead_code,
    deprecated,
    missing_copy_implementations,
    missing_debug_implementations,
    non_camel_case_types,
    private_interfaces,
    unnameable_types,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic
)]
const _: () = {
    use ::pgjobq::__private as __pgjobq;
    type __Job = thumbnail;
    impl __Job {
        /// The name under which the database stores jobs of this kind.
        pub const KIND: &'static str = "thumbnail";
        ///Makes a `thumbnail` job, which has options and is not enqueued yet.
        pub fn job(image_id: i64, width: Option<u32>) -> __pgjobq::NewJob<Thumbnail> {
            __stored::<Thumbnail, i64, Option<u32>>().0(&__Args { image_id, width })
        }
        ///Makes a `thumbnail` step of a workflow. Each argument is a value, or comes from another step: its `output()` or `result()`.
        pub fn step(
            image_id: impl __pgjobq::Input<i64>,
            width: impl __pgjobq::Input<Option<u32>>,
        ) -> __pgjobq::NewStep<Thumbnail> {
            __pgjobq::NewStep::new(
                Self::KIND,
                &__POLICY,
                [
                    __pgjobq::Input::<i64>::source(image_id, "image_id"),
                    __pgjobq::Input::<Option<u32>>::source(width, "width"),
                ],
            )
        }
        ///Makes a schedule of `thumbnail` jobs with these arguments: from a cron pattern, such as `0 9 * * MON-FRI`, or an interval, such as `every 10m`.
        pub fn schedule(
            text: impl ::core::convert::Into<::std::string::String>,
            image_id: i64,
            width: Option<u32>,
        ) -> __pgjobq::NewSchedule {
            __pgjobq::NewSchedule::new(text, Self::job(image_id, width))
        }
        ///Returns the handle of the `thumbnail` job with this id.
        #[must_use]
        pub fn handle(
            id: impl ::core::convert::Into<__pgjobq::JobId>,
        ) -> __pgjobq::JobHandle<Thumbnail> {
            __pgjobq::JobHandle::from_id(
                ::core::convert::Into::into(id),
                Self::KIND,
                &__POLICY,
            )
        }
        ///Enqueues a `thumbnail` job: to `&client`, `&pool`, `&mut *connection` or `&mut *transaction`.
        ///
        /// # Errors
        ///
        /// A mistake in the job, a queue that does not exist, and errors of the database.
        pub async fn enqueue(
            to: impl __pgjobq::Target,
            image_id: i64,
            width: Option<u32>,
        ) -> ::core::result::Result<
            __pgjobq::JobHandle<Thumbnail>,
            __pgjobq::EnqueueError,
        > {
            Self::job(image_id, width).enqueue(to).await
        }
        ///Enqueues a `thumbnail` job, waits until it ends, and returns its result.
        ///
        /// # Errors
        ///
        /// The errors of the enqueue and of the wait, and an end without a result.
        pub async fn call(
            client: &__pgjobq::Client,
            image_id: i64,
            width: Option<u32>,
        ) -> ::core::result::Result<Thumbnail, __pgjobq::CallError> {
            __call::<Thumbnail>(Self::job(image_id, width), client).await
        }
        #[doc(hidden)]
        pub const __ARGS: &'static [&'static str] = &["image_id", "width"];
        #[doc(hidden)]
        pub fn __args(
            args: &__pgjobq::StoredArgs<'_>,
        ) -> ::core::result::Result<__Args<i64, Option<u32>>, __pgjobq::JobError> {
            __decode(args)
        }
    }
    #[derive(__pgjobq::serde::Serialize, __pgjobq::serde::Deserialize)]
    #[serde(crate = "__pgjobq::serde")]
    #[doc(hidden)]
    pub struct __Args<__0, __1> {
        pub image_id: __0,
        pub width: __1,
    }
    type __NewJob<__T, __A> = fn(&__A) -> __pgjobq::NewJob<__T>;
    type __Decode<__A> = fn(
        &__pgjobq::StoredArgs<'_>,
    ) -> ::core::result::Result<__A, __pgjobq::JobError>;
    type __Shape = fn() -> ::std::vec::Vec<__pgjobq::ArgumentShape>;
    fn __stored<__T, __0: __pgjobq::Argument, __1: __pgjobq::Argument>() -> (
        __NewJob<__T, __Args<__0, __1>>,
        __Decode<__Args<__0, __1>>,
        __Shape,
    ) {
        (
            |args| __pgjobq::NewJob::new(__Job::KIND, &__POLICY, args),
            |args| args.decode(),
            || {
                ::std::vec![
                    __pgjobq::ArgumentShape { name : "image_id", ty : "i64", inside :
                    __pgjobq::shape_of!(__0) }, __pgjobq::ArgumentShape { name : "width",
                    ty : "Option<u32>", inside : __pgjobq::shape_of!(__1) }
                ]
            },
        )
    }
    fn __decode(
        stored: &__pgjobq::StoredArgs<'_>,
    ) -> ::core::result::Result<__Args<i64, Option<u32>>, __pgjobq::JobError> {
        __stored::<(), i64, Option<u32>>().1(stored)
    }
    const __POLICY: __pgjobq::Policy = __pgjobq::Policy::DEFAULT
        .queue("images")
        .retries(5u16);
    async fn __run(
        context: __pgjobq::JobContext,
        args: &__pgjobq::serde_json::value::RawValue,
    ) -> ::core::result::Result<
        ::std::boxed::Box<__pgjobq::serde_json::value::RawValue>,
        __pgjobq::JobError,
    > {
        let args = __decode(&context.stored(args))?;
        __returns::<Result<Thumbnail, ImageError>>();
        <Result<
            Thumbnail,
            ImageError,
        > as __pgjobq::JobReturn>::encode(
            thumbnail(
                    args.image_id,
                    <JobContext as __pgjobq::HandedIn>::of(&context)?,
                    args.width,
                    <State<Store> as __pgjobq::HandedIn>::of(&context)?,
                )
                .await,
        )
    }
    const _: () = {
        use ::std::boxed::Box;
        #[doc(hidden)]
        #[__pgjobq::async_trait]
        impl __pgjobq::Handler for __Job {
            async fn run(
                &self,
                context: __pgjobq::JobContext,
                args: &__pgjobq::serde_json::value::RawValue,
            ) -> ::core::result::Result<
                Box<__pgjobq::serde_json::value::RawValue>,
                __pgjobq::JobError,
            > {
                __run(context, args).await
            }
            fn check(
                &self,
                args: &__pgjobq::StoredArgs<'_>,
            ) -> ::core::result::Result<(), __pgjobq::JobError> {
                __decode(args).map(|_| ())
            }
            fn shape(&self) -> ::std::vec::Vec<__pgjobq::ArgumentShape> {
                __stored::<(), i64, Option<u32>>().2()
            }
        }
    };
    __pgjobq::inventory::submit! {
        __pgjobq::JobDescriptor { kind : __Job::KIND, aliases : & [], policy : __POLICY,
        scheduled : ::core::option::Option::None, handler : & __Job {}, batch :
        ::core::option::Option::None, states : & [__pgjobq::StateType::of:: < Store >
        ()], module : ::core::module_path!(), file : ::core::file!(), line :
        ::core::line!(), }
    }
    fn __returns<R: __pgjobq::JobReturn<Value = Thumbnail>>() {}
    async fn __call<T: __pgjobq::StoredResult>(
        job: __pgjobq::NewJob<T>,
        client: &__pgjobq::Client,
    ) -> ::core::result::Result<T, __pgjobq::CallError> {
        job.call(client).await
    }
};
